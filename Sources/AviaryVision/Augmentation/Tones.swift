import AviaryTensors

/// Changes of colours, each bit for bit what torchvision's functions make of a Pillow picture.
extension Image {
  /// Each value `factor` times as bright; 0 is black, 1 changes nothing.
  public func brightness(_ factor: Float) -> Image { blended(factor) { _, _ in 0 } }

  /// Values `factor` times as far from the picture's mean luma; 0 is one grey, 1 changes nothing.
  public func contrast(_ factor: Float) -> Image {
    let luma = converted(to: .grey).pixels
    let sum = luma.reduce(0) { $0 + Int($1) }
    let mean = UInt8(Double(sum) / Double(luma.count) + 0.5)
    return blended(factor) { _, _ in mean }
  }

  /// Values `factor` times as far from their pixel's luma; 0 is a grey picture, 1 changes nothing.
  public func saturation(_ factor: Float) -> Image {
    let luma = converted(to: .grey).pixels
    return blended(factor) { pixel, _ in luma[pixel] }
  }

  /// Values `factor` times as far from a smoothed picture's; 0 is smooth, 1 changes nothing. The border of one pixel stays.
  public func sharpness(_ factor: Float) -> Image {
    let smooth = smoothed
    let channels = channelCount
    return blended(factor) { pixel, channel in smooth[pixel * channels + channel] }
  }

  /// Values from `threshold` on are turned around.
  public func solarized(threshold: Float) -> Image { mapped { Float($0) < threshold ? $0 : 255 - $0 } }

  /// Only the upper `bits` of each value stay.
  public func posterized(bits: Int) -> Image {
    require((0...8).contains(bits), "values of 8 bits cannot keep \(bits)")
    let mask = UInt8(truncatingIfNeeded: 0xFF00 >> bits)
    return mapped { $0 & mask }
  }

  /// Each channel's values moved apart so that they reach from 0 to 255.
  public var autocontrasted: Image {
    mappedByHistogram { counts in
      guard let low = counts.firstIndex(where: { $0 > 0 }), let high = counts.lastIndex(where: { $0 > 0 }),
        high > low
      else { return nil }
      let scale = 255 / Double(high - low)
      let offset = -Double(low) * scale
      return (0..<256).map { UInt8(max(min((Double($0) * scale + offset).rounded(.towardZero), 255), 0)) }
    }
  }

  /// Each channel's values moved so that all are about as frequent.
  public var equalized: Image {
    mappedByHistogram { counts in
      let present = counts.filter { $0 > 0 }
      let step = (present.reduce(0, +) - (present.last ?? 0)) / 255
      guard present.count > 1, step > 0 else { return nil }
      var sum = step / 2
      return counts.map { count in
        defer { sum += count }
        return UInt8(min(sum / step, 255))
      }
    }
  }

  /// The values of a rectangle replaced by one; what of it lies outside the picture counts for nothing.
  public func erased(x: Int, y: Int, width: Int, height: Int, value: UInt8 = 0) -> Image {
    var result = self
    let columns = max(x, 0)..<max(min(x + width, self.width), max(x, 0))
    for row in max(y, 0)..<max(min(y + height, self.height), max(y, 0)) {
      for place in columns.lowerBound * channelCount..<columns.upperBound * channelCount {
        result.pixels[row * self.width * channelCount + place] = value
      }
    }
    return result
  }

  /// Between another picture (factor 0) and this one (factor 1) or beyond: in float32, fractions dropped, as Pillow's `Image.blend`.
  private func blended(_ factor: Float, with other: (_ pixel: Int, _ channel: Int) -> UInt8) -> Image {
    if factor == 1 { return self }
    let channels = channelCount
    return Image(width: width, height: height, model: model) { target in
      for pixel in 0..<width * height {
        for channel in 0..<channels {
          let position = pixel * channels + channel
          let (from, to) = (Int(other(pixel, channel)), Int(pixels[position]))
          let value = Float(from) + factor * Float(to - from)
          target[position] = UInt8(max(min(value, 255), 0))
        }
      }
    }
  }

  /// Pillow's `SMOOTH`: the middle of 3×3 pixels counts five times.
  private var smoothed: [UInt8] {
    var result = pixels
    let (step, row) = (channelCount, width * channelCount)
    guard width > 2 && height > 2 else { return result }
    for y in 1..<height - 1 {
      for position in y * row + step..<(y + 1) * row - step {
        var sum = 4 * Int(pixels[position])
        for around in [position - row, position, position + row] {
          sum += Int(pixels[around - step]) + Int(pixels[around]) + Int(pixels[around + step])
        }
        // To the nearest; halves of thirteenths do not occur.
        result[position] = UInt8((2 * sum + 13) / 26)
      }
    }
    return result
  }

  private func mapped(_ value: (UInt8) -> UInt8) -> Image {
    let table = (0...255).map { value(UInt8($0)) }
    return Image(
      width: width, height: height, model: model, pixels: pixels.map { table[Int($0)] })
  }

  /// Each channel through the table that its histogram gives; as it is where that gives none.
  private func mappedByHistogram(_ table: (_ counts: [Int]) -> [UInt8]?) -> Image {
    var result = pixels
    for channel in 0..<channelCount {
      let places = stride(from: channel, to: pixels.count, by: channelCount)
      var counts = [Int](repeating: 0, count: 256)
      for place in places { counts[Int(pixels[place])] += 1 }
      guard let table = table(counts) else { continue }
      for place in places { result[place] = table[Int(pixels[place])] }
    }
    return Image(width: width, height: height, model: model, pixels: result)
  }
}
