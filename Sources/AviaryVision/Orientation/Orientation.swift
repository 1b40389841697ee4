/// How a camera was held: the EXIF tag 0x0112 and what undoes it.
enum Orientation: Int {
  case upright = 1
  case mirrored, upsideDown, mirroredUpsideDown, transposed, rightSideUp, transverse, leftSideUp

  /// True when rows become columns.
  private var swapsAxes: Bool { rawValue >= 5 }

  /// The picture as it was seen.
  func applied(to image: Image) -> Image {
    if self == .upright { return image }
    let (width, height) = swapsAxes ? (image.height, image.width) : (image.width, image.height)
    let channels = image.channelCount
    return Image(width: width, height: height, model: image.model) { target in
      for y in 0..<height {
        for x in 0..<width {
          let (column, row) = source(x, y, width, height)
          let from = (row * image.width + column) * channels
          let to = (y * width + x) * channels
          for channel in 0..<channels { target[to + channel] = image.pixels[from + channel] }
        }
      }
    }
  }

  /// The stored column and row of the pixel that is seen at (x, y) of `width`×`height` pixels.
  private func source(_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> (column: Int, row: Int) {
    switch self {
    case .upright: (x, y)
    case .mirrored: (width - 1 - x, y)
    case .upsideDown: (width - 1 - x, height - 1 - y)
    case .mirroredUpsideDown: (x, height - 1 - y)
    case .transposed: (y, x)
    case .rightSideUp: (y, width - 1 - x)
    case .transverse: (height - 1 - y, width - 1 - x)
    case .leftSideUp: (height - 1 - y, x)
    }
  }
}
