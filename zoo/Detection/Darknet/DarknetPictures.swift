import AviaryTensors
import AviaryVision
import AviaryWeights

/// How pictures go into a darknet network: stretched to its size, or scaled to fit with grey beside them (`image.c`).
struct DarknetFrame: Sendable {
  /// The network's picture.
  let width: Int
  let height: Int
  let keepsProportions: Bool
  var resampling = Resampling.antialiased

  /// How values between pixels are found.
  enum Resampling: String, CaseIterable {
    /// Over the area that a new pixel covers, as everywhere else in this library.
    case antialiased
    /// Between the two nearest pixels of each axis, the corners on the corners: darknet's own `resize_image`.
    case corners
  }

  /// The size of what is to be seen within the network's picture.
  func inner(width: Int, height: Int) -> (width: Int, height: Int) {
    guard keepsProportions else { return (self.width, self.height) }
    // Whole numbers: a share of a pixel is dropped, but one stays.
    if Float(self.width) / Float(width) < Float(self.height) / Float(height) {
      return (self.width, max(height * self.width / width, 1))
    }
    return (max(width * self.height / height, 1), self.height)
  }

  /// Pictures N×3×H×W with values from 0 to 1.
  func callAsFunction(_ images: [Image]) -> Tensor {
    let plane = width * height
    return Tensor(shape: [images.count, 3, height, width], dtype: .float32) { bytes in
      let values = bytes.bindMemory(to: Float.self)
      for (number, image) in images.enumerated() {
        let (innerWidth, innerHeight) = inner(width: image.width, height: image.height)
        let (left, top) = ((width - innerWidth) / 2, (height - innerHeight) / 2)
        let resized = resized(image.converted(to: .rgb), innerWidth, innerHeight)
        for channel in 0..<3 {
          let start = (3 * number + channel) * plane
          for place in 0..<plane { values[start + place] = 0.5 }
          for y in 0..<innerHeight {
            for x in 0..<innerWidth {
              values[start + (y + top) * width + x + left] =
                resized[(channel * innerHeight + y) * innerWidth + x]
            }
          }
        }
      }
    }
  }

  /// 3×H×W values from 0 to 1.
  private func resized(_ image: Image, _ width: Int, _ height: Int) -> [Float] {
    if resampling == .corners { return image.darknetResized(width: width, height: height) }
    let pixels = image.resized(width: width, height: height, .bilinear).pixels
    return (0..<3).flatMap { channel in
      stride(from: channel, to: pixels.count, by: 3).map { Float(pixels[$0]) / 255 }
    }
  }

  /// A box in shares of the network's picture as one in pixels of a picture of this size.
  func box(
    _ x: Float, _ y: Float, _ w: Float, _ h: Float, of size: (width: Int, height: Int)
  ) -> Box {
    let (innerWidth, innerHeight) = inner(width: size.width, height: size.height)
    let scale = (
      x: Float(size.width) * Float(width) / Float(innerWidth),
      y: Float(size.height) * Float(height) / Float(innerHeight)
    )
    // Half of an odd border is not rounded here, as it was before.
    let centre = (
      x: (x - Float(width - innerWidth) / 2 / Float(width)) * scale.x,
      y: (y - Float(height - innerHeight) / 2 / Float(height)) * scale.y
    )
    let half = (x: w * scale.x / 2, y: h * scale.y / 2)
    return Box(x1: centre.x - half.x, y1: centre.y - half.y, x2: centre.x + half.x, y2: centre.y + half.y)
  }
}

extension Image {
  /// The picture at another size as 3×H×W values from 0 to 1: linear between pixels, corners on corners, the columns first.
  fileprivate func darknetResized(width newWidth: Int, height newHeight: Int) -> [Float] {
    func places(_ old: Int, _ new: Int) -> [(low: Int, share: Float)] {
      let scale = new > 1 ? Float(old - 1) / Float(new - 1) : 0
      return (0..<new).map { position in
        if position == new - 1 || old == 1 { return (old - 1, 0) }
        let place = Float(position) * scale
        let low = min(Int(place), old - 1)
        return (low, low == old - 1 ? 0 : place - Float(low))
      }
    }
    let (columns, rows) = (places(width, newWidth), places(height, newHeight))
    var narrowed = [Float](repeating: 0, count: height * newWidth)
    var result = [Float](repeating: 0, count: 3 * newHeight * newWidth)
    for channel in 0..<3 {
      for y in 0..<height {
        for (x, column) in columns.enumerated() {
          let start = 3 * (y * width + column.low) + channel
          let low = Float(pixels[start]) / 255
          let high = column.share > 0 ? Float(pixels[start + 3]) / 255 : 0
          narrowed[y * newWidth + x] = (1 - column.share) * low + column.share * high
        }
      }
      for (y, row) in rows.enumerated() {
        for x in 0..<newWidth {
          let low = narrowed[row.low * newWidth + x]
          let high = row.share > 0 ? narrowed[(row.low + 1) * newWidth + x] : 0
          result[(channel * newHeight + y) * newWidth + x] = (1 - row.share) * low + row.share * high
        }
      }
    }
    return result
  }
}
