import AviaryTensors

extension Image {
  /// The picture seen through a map from its new pixels to the old ones, bit for bit as Pillow's `Image.transform` makes it; what lies
  /// outside of the old picture becomes `fill`.
  ///
  /// - Parameter interpolation: `nearest` or `bilinear` (which does not average: a smaller picture aliases, as there).
  public func transformed(
    by inverse: AffineMap, _ interpolation: Interpolation = .nearest, fill: UInt8 = 0
  ) -> Image {
    require(interpolation == .nearest || interpolation == .bilinear, "maps know no \(interpolation.rawValue)")
    return interpolation == .nearest
      ? transformedToNearest(inverse, fill) : transformedBilinearly(inverse, fill)
  }

  private func transformedToNearest(_ inverse: AffineMap, _ fill: UInt8) -> Image {
    let channels = channelCount
    let places = NearestPlaces(inverse, width: width, height: height)
    return Image(width: width, height: height, model: model) { target in
      pixels.withUnsafeBufferPointer { source in
        target.update(repeating: fill)
        places.forEachPair { new, old in
          for channel in 0..<channels { target[new * channels + channel] = source[old * channels + channel] }
        }
      }
    }
  }

  private func transformedBilinearly(_ inverse: AffineMap, _ fill: UInt8) -> Image {
    let channels = channelCount
    return Image(width: width, height: height, model: model) { target in
      target.update(repeating: fill)
      for y in 0..<height {
        for x in 0..<width {
          let (sx, sy) = inverse(Double(x) + 0.5, Double(y) + 0.5)
          guard sx >= 0, sx < Double(width), sy >= 0, sy < Double(height) else { continue }
          let (column, row) = ((sx - 0.5).rounded(.down), (sy - 0.5).rounded(.down))
          let (dx, dy) = (sx - 0.5 - column, sy - 0.5 - row)
          let left = max(Int(column), 0)
          let right = min(Int(column) + 1, width - 1)
          let upper = max(Int(row), 0) * width
          let lower = min(Int(row) + 1, height - 1) * width
          for channel in 0..<channels {
            func value(_ position: Int) -> Double { Double(pixels[position * channels + channel]) }
            let above = value(upper + left) + (value(upper + right) - value(upper + left)) * dx
            let below = value(lower + left) + (value(lower + right) - value(lower + left)) * dx
            target[(y * width + x) * channels + channel] = UInt8(above + (below - above) * dy)
          }
        }
      }
    }
  }
}

extension LabelMap {
  /// The labels seen through a map from new pixels to old ones, to the nearest as pictures are; outside there is `fill`.
  public func transformed(by inverse: AffineMap, fill: UInt8 = LabelMap.ignored) -> LabelMap {
    var moved = [UInt8](repeating: fill, count: labels.count)
    NearestPlaces(inverse, width: width, height: height).forEachPair { moved[$0] = labels[$1] }
    return LabelMap(width: width, height: height, labels: moved)
  }
}

extension Mask {
  /// The mask seen through a map from new pixels to old ones, to the nearest as pictures are; outside there is nothing.
  public func transformed(by inverse: AffineMap) -> Mask {
    var moved = [Bool](repeating: false, count: pixels.count)
    NearestPlaces(inverse, width: width, height: height).forEachPair { moved[$0] = pixels[$1] }
    return Mask(width: width, height: height, pixels: moved)
  }
}

/// Which old pixel each new one shows, in Pillow's arithmetic: added up along the axes for maps that turn nothing, in fixed point of 16
/// bits for others.
private struct NearestPlaces {
  private let map: AffineMap
  private let width: Int
  private let height: Int

  init(_ map: AffineMap, width: Int, height: Int) {
    (self.map, self.width, self.height) = (map, width, height)
  }

  /// Calls `body` with the places (row by row) of new and old pixels; new ones that show nothing are left out.
  func forEachPair(_ body: (_ new: Int, _ old: Int) -> Void) {
    if map.b == 0 && map.d == 0 { return forEachScaled(body) }
    let isSmall = [(0, 0), (width, height), (0, height), (width, 0)].allSatisfy { corner in
      let (x, y) = map(Double(corner.0), Double(corner.1))
      return abs(x) < 32768 && abs(y) < 32768
    }
    if isSmall { forEachInFixedPoint(body) } else { forEachExactly(body) }
  }

  private func forEachScaled(_ body: (_ new: Int, _ old: Int) -> Void) {
    func positions(_ count: Int, _ factor: Double, _ offset: Double) -> [Int?] {
      var position = offset + factor * 0.5
      return (0..<count).map { _ in
        defer { position += factor }
        return position >= 0 && position < Double(count) ? Int(position) : nil
      }
    }
    let columns = positions(width, map.a, map.c)
    for (y, row) in positions(height, map.e, map.f).enumerated() {
      guard let row else { continue }
      for (x, column) in columns.enumerated() {
        if let column { body(y * width + x, row * width + column) }
      }
    }
  }

  private func forEachInFixedPoint(_ body: (_ new: Int, _ old: Int) -> Void) {
    func fixed(_ value: Double) -> Int { Int((value * 65536 + 0.5).rounded(.down)) }
    let (a, b, d, e) = (fixed(map.a), fixed(map.b), fixed(map.d), fixed(map.e))
    var startX = fixed(map.c + map.a * 0.5 + map.b * 0.5)
    var startY = fixed(map.f + map.d * 0.5 + map.e * 0.5)
    for y in 0..<height {
      var (x16, y16) = (startX, startY)
      for x in 0..<width {
        let (column, row) = (x16 >> 16, y16 >> 16)
        if column >= 0 && column < width && row >= 0 && row < height {
          body(y * width + x, row * width + column)
        }
        x16 += a
        y16 += d
      }
      startX += b
      startY += e
    }
  }

  private func forEachExactly(_ body: (_ new: Int, _ old: Int) -> Void) {
    for y in 0..<height {
      for x in 0..<width {
        let (column, row) = map(Double(x) + 0.5, Double(y) + 0.5)
        if column >= 0 && column < Double(width) && row >= 0 && row < Double(height) {
          body(y * width + x, Int(row) * width + Int(column))
        }
      }
    }
  }
}
