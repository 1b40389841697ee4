/// A picture in colour that is drawn on. What lies outside is left out.
struct Canvas {
  let width: Int
  let height: Int
  private var pixels: [UInt8]

  init(_ image: Image) {
    width = image.width
    height = image.height
    pixels = image.converted(to: .rgb).pixels
  }

  var image: Image { Image(width: width, height: height, model: .rgb, pixels: pixels) }

  /// Paints a rectangle.
  mutating func fill(_ columns: Range<Int>, _ rows: Range<Int>, _ colour: Colour) {
    let columns = columns.clamped(to: 0..<width)
    for y in rows.clamped(to: 0..<height) {
      for x in columns {
        let position = 3 * (y * width + x)
        pixels[position] = colour.red
        pixels[position + 1] = colour.green
        pixels[position + 2] = colour.blue
      }
    }
  }

  /// Mixes a colour into the pixels of a mask of the picture's size.
  mutating func tint(_ mask: Mask, _ colour: Colour, share: Float) {
    for place in mask.pixels.indices where mask.pixels[place] {
      for (channel, value) in [colour.red, colour.green, colour.blue].enumerated() {
        let old = Float(pixels[3 * place + channel])
        pixels[3 * place + channel] = UInt8((old + (Float(value) - old) * share).rounded())
      }
    }
  }

  /// Paints the border of a rectangle, inside of it.
  mutating func frame(_ columns: Range<Int>, _ rows: Range<Int>, thickness: Int, _ colour: Colour) {
    let upper = min(rows.lowerBound + thickness, rows.upperBound)
    let lower = max(rows.upperBound - thickness, rows.lowerBound)
    let left = min(columns.lowerBound + thickness, columns.upperBound)
    let right = max(columns.upperBound - thickness, columns.lowerBound)
    fill(columns, rows.lowerBound..<upper, colour)
    fill(columns, lower..<rows.upperBound, colour)
    fill(columns.lowerBound..<left, rows, colour)
    fill(right..<columns.upperBound, rows, colour)
  }

  /// Writes a line of text whose upper left corner is at (`x`, `y`); each dot of ``BitmapFont`` is a square of `scale` pixels.
  mutating func write(_ text: String, x: Int, y: Int, scale: Int, _ colour: Colour) {
    for (place, letter) in text.enumerated() {
      for (row, dots) in BitmapFont.rows(of: letter).enumerated() {
        for column in 0..<BitmapFont.width where dots >> UInt8(BitmapFont.width - 1 - column) & 1 == 1 {
          let (left, upper) = (x + (place * BitmapFont.advance + column) * scale, y + row * scale)
          fill(left..<left + scale, upper..<upper + scale, colour)
        }
      }
    }
  }
}
