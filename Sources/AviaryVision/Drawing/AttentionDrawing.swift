import AviaryTensors

extension Image {
  /// The picture as bright as a network looked at each place, with a word above it.
  ///
  /// - Parameters:
  ///   - attention: float32 h×w, interpolated bilinearly to the picture's size; its largest value leaves the picture as it is, 0 leaves a fifth.
  ///   - word: what was said then; letters that the drawn font lacks are blank.
  public func lit(by attention: Tensor, word: String) -> Image {
    require(
      attention.rank == 2 && attention.shape.allSatisfy { $0 > 0 },
      "attention of shape \(attention.shape.shapeText) to the places of a picture")
    let map = attention.reshaped([1, 1] + attention.shape)
      .interpolated(to: [height, width], .linear(alignsCorners: false)).values()
    let most = max(map.max() ?? 0, .leastNormalMagnitude)
    let pixels = converted(to: .rgb).pixels
    let scale = max(1, width / 120)
    let band = (BitmapFont.height + 4) * scale
    let lit = Image(width: width, height: height + band, model: .rgb) { target in
      for place in 0..<band * width * 3 { target[place] = 0 }
      for (place, value) in map.enumerated() {
        for channel in 0..<3 {
          let share = 0.2 + 0.8 * max(value, 0) / most
          target[3 * (band * width + place) + channel] = UInt8(Float(pixels[3 * place + channel]) * share)
        }
      }
    }
    var canvas = Canvas(lit)
    canvas.write(word, x: 2 * scale, y: 2 * scale, scale: scale, .white)
    return canvas.image
  }
}
