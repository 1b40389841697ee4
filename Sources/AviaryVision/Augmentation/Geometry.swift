import AviaryTensors

/// Rectangles of values that can be turned around, cut and resized: pictures, labels, masks.
private func flipped<Value>(
  _ values: [Value], width: Int, channels: Int, horizontally: Bool
) -> [Value] {
  let height = values.count / (width * channels)
  var result = values
  for y in 0..<height {
    for x in 0..<width {
      let from = (horizontally ? y * width + width - 1 - x : (height - 1 - y) * width + x) * channels
      for channel in 0..<channels {
        result[(y * width + x) * channels + channel] = values[from + channel]
      }
    }
  }
  return result
}

/// The rectangle of one value per pixel from column `x` and row `y`; outside there is `fill`.
private func cropped<Value>(
  _ values: [Value], width: Int, x: Int, y: Int, to size: (width: Int, height: Int), fill: Value
) -> [Value] {
  var result = [Value](repeating: fill, count: size.width * size.height)
  let height = values.count / width
  for row in 0..<size.height where 0..<height ~= y + row {
    for column in 0..<size.width where 0..<width ~= x + column {
      result[row * size.width + column] = values[(y + row) * width + x + column]
    }
  }
  return result
}

extension Image {
  /// Left and right exchanged.
  public var flippedHorizontally: Image { flipped(horizontally: true) }
  /// Above and below exchanged.
  public var flippedVertically: Image { flipped(horizontally: false) }

  fileprivate func flipped(horizontally: Bool) -> Image {
    let turned = AviaryVision.flipped(
      pixels, width: width, channels: channelCount, horizontally: horizontally)
    return Image(width: width, height: height, model: model, pixels: turned)
  }
}

extension AnnotatedPicture {
  /// Left and right exchanged, in words too.
  public var flippedHorizontally: AnnotatedPicture {
    var result = flipped(horizontally: true)
    result.captions = captions.map(Self.withSidesExchanged)
    return result
  }
  /// Above and below exchanged, in words too.
  public var flippedVertically: AnnotatedPicture {
    var result = flipped(horizontally: false)
    result.captions = captions.map(Self.withHeightsExchanged)
    return result
  }

  private func flipped(horizontally: Bool) -> AnnotatedPicture {
    var result = self
    let (width, height) = (Float(image.width), Float(image.height))
    result.image = image.flipped(horizontally: horizontally)
    result.labelMap = labelMap.map {
      LabelMap(
        width: $0.width, height: $0.height,
        labels: AviaryVision.flipped($0.labels, width: $0.width, channels: 1, horizontally: horizontally))
    }
    for (index, instance) in instances.enumerated() {
      let box = instance.box
      result.instances[index].box =
        horizontally
        ? Box(x1: width - box.x2, y1: box.y1, x2: width - box.x1, y2: box.y2)
        : Box(x1: box.x1, y1: height - box.y2, x2: box.x2, y2: height - box.y1)
      result.instances[index].mask = instance.mask.map {
        Mask(
          width: $0.width, height: $0.height,
          pixels: AviaryVision.flipped($0.pixels, width: $0.width, channels: 1, horizontally: horizontally))
      }
    }
    return result
  }

  private static func withSidesExchanged(_ caption: String) -> String { exchanged(caption, "left", "right") }
  private static func withHeightsExchanged(_ caption: String) -> String {
    exchanged(caption, "above", "below")
  }

  /// Whole words only: nobody is "bleft".
  private static func exchanged(_ caption: String, _ one: String, _ other: String) -> String {
    caption.split(separator: " ", omittingEmptySubsequences: false)
      .map { $0 == one ? other : $0 == other ? one : String($0) }.joined(separator: " ")
  }

  /// The rectangle of `width`×`height` pixels whose upper left corner is at column `x` and row `y`; outside of the picture it is black, its
  /// pixels count for no class (``LabelMap/ignored``).
  public func cropped(
    x: Int, y: Int, width: Int, height: Int, keptShare: Float = AnnotatedPicture.keptShare
  ) -> AnnotatedPicture {
    let size = (width: width, height: height)
    var result = self
    result.image = image.cropped(x: x, y: y, width: width, height: height)
    result.labelMap = labelMap.map {
      LabelMap(
        width: width, height: height,
        labels: AviaryVision.cropped(
          $0.labels, width: $0.width, x: x, y: y, to: size, fill: LabelMap.ignored))
    }
    for (index, instance) in instances.enumerated() {
      let box = instance.box
      result.instances[index].box = Box(
        x1: box.x1 - Float(x), y1: box.y1 - Float(y), x2: box.x2 - Float(x), y2: box.y2 - Float(y))
      result.instances[index].mask = instance.mask.map {
        Mask(
          width: width, height: height,
          pixels: AviaryVision.cropped($0.pixels, width: $0.width, x: x, y: y, to: size, fill: false))
      }
    }
    let moved = result.instances
    return result.keeping(keptShare, of: instances) {
      moved[$0].box != moved[$0].box.clipped(width: width, height: height)
    }
  }

  /// At another size; labels and masks take the nearest old pixel, and an object too small to have one goes.
  public func resized(
    width: Int, height: Int, _ interpolation: Interpolation = .bilinear
  ) -> AnnotatedPicture {
    if width == image.width && height == image.height { return self }
    var result = self
    let (sx, sy) = (Float(width) / Float(image.width), Float(height) / Float(image.height))
    result.image = image.resized(width: width, height: height, interpolation)
    result.labelMap = labelMap.map {
      LabelMap(
        width: width, height: height,
        labels: $0.picture.resized(width: width, height: height, .nearest).pixels)
    }
    result.instances = instances.compactMap { instance in
      var moved = instance
      let box = instance.box
      moved.box = Box(x1: box.x1 * sx, y1: box.y1 * sy, x2: box.x2 * sx, y2: box.y2 * sy)
      guard let mask = instance.mask else { return moved }
      let picture = Image(
        width: mask.width, height: mask.height, model: .grey, pixels: mask.pixels.map { $0 ? 1 : 0 })
      let pixels = picture.resized(width: width, height: height, .nearest).pixels.map { $0 > 0 }
      moved.mask = Mask(width: width, height: height, pixels: pixels)
      return pixels.contains(true) ? moved : nil
    }
    return result
  }

  /// Seen through a map from new pixels to old ones. A box without mask becomes the hull of its four moved corners.
  public func transformed(
    by inverse: AffineMap, _ interpolation: Interpolation = .nearest, fill: UInt8 = 0,
    keptShare: Float = AnnotatedPicture.keptShare
  ) -> AnnotatedPicture {
    var result = self
    let map = inverse.inverse
    result.image = image.transformed(by: inverse, interpolation, fill: fill)
    result.labelMap = labelMap?.transformed(by: inverse)
    for (index, instance) in instances.enumerated() {
      result.instances[index].box = instance.box.hull(after: map)
      result.instances[index].mask = instance.mask?.transformed(by: inverse)
    }
    return result.keeping(keptShare, of: instances, growth: Float(abs(map.determinant))) { _ in true }
  }
}

extension Box {
  /// The smallest box around the four corners after a map.
  public func hull(after map: AffineMap) -> Box {
    let corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)].map { map(Double($0.0), Double($0.1)) }
    let (xs, ys) = (corners.map(\.x), corners.map(\.y))
    return Box(x1: Float(xs.min()!), y1: Float(ys.min()!), x2: Float(xs.max()!), y2: Float(ys.max()!))
  }
}
