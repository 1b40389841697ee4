import AviaryTensors

extension LabelMap {
  /// The picture in colour with the labels' colours over it; class 0, the background, stays as it is.
  ///
  /// The colours count for `opacity` (0...1), the picture for the rest; half units go to the even side. Of regions that end inside the
  /// picture, the last `outline` pixels have the colour alone.
  public func overlaid(
    on image: Image, opacity: Float = 0.5, palette: Palette = .voc, outline: Int = 0
  ) -> Image {
    require(
      image.width == width && image.height == height,
      "labels of \(width)×\(height) pixels do not fit a picture of \(image.width)×\(image.height)")
    require(
      (0...1).contains(opacity) && outline >= 0, "an opacity of \(opacity), outlines of \(outline) pixels")
    let pixels = image.converted(to: .rgb).pixels
    return Image(width: width, height: height, model: .rgb) { target in
      for (position, label) in labels.enumerated() {
        let colour = palette[Int(label)]
        let share: Float =
          label == 0 ? 0 : isEdge(x: position % width, y: position / width, reach: outline) ? 1 : opacity
        for (channel, value) in [colour.red, colour.green, colour.blue].enumerated() {
          let old = Float(pixels[3 * position + channel])
          let mixed = old + (Float(value) - old) * share
          target[3 * position + channel] = UInt8(mixed.rounded(.toNearestOrEven))
        }
      }
    }
  }

  /// Whether another label begins within `reach` pixels to the left, right, above or below.
  private func isEdge(x: Int, y: Int, reach: Int) -> Bool {
    guard reach > 0 else { return false }
    let position = y * width + x
    let label = labels[position]
    return (1...reach).contains { step in
      (x >= step && labels[position - step] != label)
        || (x + step < width && labels[position + step] != label)
        || (y >= step && labels[position - step * width] != label)
        || (y + step < height && labels[position + step * width] != label)
    }
  }
}
