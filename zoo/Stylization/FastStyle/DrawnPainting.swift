import AviaryVision
import Foundation

extension Image {
  /// A painting that is drawn by numbers, `side`×`side` pixels: bands of colour that swirl around each other between dark lines, with
  /// brush strokes along them. What the zoo's own style network is taught by.
  static func drawnPainting(side: Int) -> Image {
    var image = Image(
      width: side, height: side, model: .rgb, pixels: Array(repeating: 0, count: 3 * side * side))
    for y in 0..<side {
      for x in 0..<side {
        let (u, v) = (Double(x) / 256, Double(y) / 256)
        // A field whose levels are the bands, and one across it for the strokes.
        let warp = 0.35 * sin(7 * v + 2 * sin(5 * u)) + 0.25 * sin(11 * u - 3 * v)
        let field = 4 * (u + warp) + 2.2 * sin(3 * (v - warp))
        let across = 3 * (v + 0.5 * sin(6 * u)) - 1.5 * warp
        let level = field.rounded(.down)
        let share = field - level
        let colour = palette[((Int(level) % palette.count) + palette.count) % palette.count]
        let stroke = 0.16 * sin(40 * across + 9 * sin(8 * field)) + 0.1 * sin(95 * field + 6 * across)
        // Dark where a band ends.
        let line = min(share, 1 - share) < 0.07 ? 0.25 : 1
        for channel in 0..<3 {
          let value = (colour[channel] * (1 + stroke) + 14 * stroke) * line
          image[x, y, channel] = UInt8(min(max(value, 0), 255))
        }
      }
    }
    return image
  }

  /// Ultramarine, ochre, teal, vermilion, cream and plum.
  private static let palette: [[Double]] = [
    [38, 70, 160], [226, 163, 60], [34, 142, 138], [214, 78, 48], [243, 226, 188], [96, 48, 108],
  ]
}
