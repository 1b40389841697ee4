import AviaryTensors
import Foundation

/// How the values between pixels are found. All but `nearest` average over the area that a new pixel covers, so that
/// shrinking does not alias.
public enum Interpolation: String, Sendable, Hashable, Codable, CaseIterable {
  /// The value of the nearest pixel.
  case nearest
  /// A triangle over two pixels.
  case bilinear
  /// Keys' cubic over four pixels.
  case bicubic
  /// A windowed sinc over six pixels.
  case lanczos

  /// Half the width of the filter, in pixels of the coarser picture.
  fileprivate var support: Double {
    switch self {
    case .nearest: 0
    case .bilinear: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  /// The weight of a pixel at distance `x` from the centre.
  fileprivate func weight(_ x: Double) -> Double {
    let distance = abs(x)
    guard distance < support else { return 0 }
    switch self {
    case .nearest, .bilinear: return 1 - distance
    case .bicubic:
      // Keys' kernel with a = -1/2: exact for quadratics.
      let a = -0.5
      return distance < 1
        ? ((a + 2) * distance - (a + 3)) * distance * distance + 1
        : (((distance - 5) * distance + 8) * distance - 4) * a
    case .lanczos: return Self.sinc(x) * Self.sinc(x / 3)
    }
  }

  private static func sinc(_ x: Double) -> Double {
    x == 0 ? 1 : sin(x * .pi) / (x * .pi)
  }
}

/// For each new position along one axis: which old positions count, and how much, in fixed point.
///
/// The arithmetic is Pillow's (weights normalised in double precision, then 22 fractional bits), so that its results
/// are reproduced to the last bit.
private struct AxisWeights {
  static let fractionBits = 22

  private(set) var starts: [Int] = []
  private(set) var counts: [Int] = []
  /// `stride` weights per new position.
  private(set) var weights: [Int32] = []
  let stride: Int

  init(from oldCount: Int, to newCount: Int, _ interpolation: Interpolation) {
    let scale = Double(oldCount) / Double(newCount)
    let filterScale = max(scale, 1)
    let support = interpolation.support * filterScale
    let inverse = 1 / filterScale
    stride = Int(support.rounded(.up)) * 2 + 1
    weights.reserveCapacity(stride * newCount)
    var row = [Double](repeating: 0, count: stride)
    for position in 0..<newCount {
      let centre = (Double(position) + 0.5) * scale
      let start = max(Int(centre - support + 0.5), 0)
      let count = min(Int(centre + support + 0.5), oldCount) - start
      var sum = 0.0
      for index in 0..<count {
        row[index] = interpolation.weight((Double(index + start) - centre + 0.5) * inverse)
        sum += row[index]
      }
      for index in 0..<count {
        let weight = (sum == 0 ? row[index] : row[index] / sum) * Double(1 << Self.fractionBits)
        weights.append(Int32(weight + (weight < 0 ? -0.5 : 0.5)))
      }
      weights.append(contentsOf: repeatElement(0, count: stride - count))
      starts.append(start)
      counts.append(count)
    }
  }

  /// Drops the fraction and what lies outside 0...255.
  @inline(__always)
  static func clipped(_ sum: Int32) -> UInt8 { UInt8(max(min(sum >> Int32(fractionBits), 255), 0)) }

  /// Half of the last unit, so that dropping the fraction rounds.
  static let half = Int32(1) << Int32(fractionBits - 1)
}

extension Image {
  /// The picture at another size, bit for bit as Pillow's `Image.resize` makes it.
  ///
  /// Each axis in turn, rounded to 8 bits in between. The order is that of Pillow 13: a height that shrinks much more
  /// than the width goes first. (Earlier versions always began with the width; where the order differs, values can
  /// differ by one.)
  public func resized(width: Int, height: Int, _ interpolation: Interpolation = .bilinear) -> Image {
    require(width > 0 && height > 0, "a picture cannot be resized to \(width)×\(height)")
    if width == self.width && height == self.height { return self }
    if interpolation == .nearest { return nearest(width: width, height: height) }
    if height < self.height && self.height - height > 2 * (self.width - width) {
      return resampledColumns(to: height, interpolation).resampledRows(to: width, interpolation)
    }
    return resampledRows(to: width, interpolation).resampledColumns(to: height, interpolation)
  }

  private func resampledRows(to newWidth: Int, _ interpolation: Interpolation) -> Image {
    if newWidth == width { return self }
    let axis = AxisWeights(from: width, to: newWidth, interpolation)
    return Image(width: newWidth, height: height, model: model) { target in
      pixels.withUnsafeBufferPointer { source in
        axis.weights.withUnsafeBufferPointer { weights in
          for y in 0..<height {
            for x in 0..<newWidth {
              let count = axis.counts[x]
              let weight = weights.baseAddress! + x * axis.stride
              let from = source.baseAddress! + (y * width + axis.starts[x]) * channelCount
              let to = target.baseAddress! + (y * newWidth + x) * channelCount
              switch model {
              case .grey:
                var sum = AxisWeights.half
                for index in 0..<count { sum &+= Int32(from[index]) &* weight[index] }
                to[0] = AxisWeights.clipped(sum)
              case .rgb:
                var (red, green, blue) = (AxisWeights.half, AxisWeights.half, AxisWeights.half)
                for index in 0..<count {
                  red &+= Int32(from[3 * index]) &* weight[index]
                  green &+= Int32(from[3 * index + 1]) &* weight[index]
                  blue &+= Int32(from[3 * index + 2]) &* weight[index]
                }
                to[0] = AxisWeights.clipped(red)
                to[1] = AxisWeights.clipped(green)
                to[2] = AxisWeights.clipped(blue)
              }
            }
          }
        }
      }
    }
  }

  private func resampledColumns(to newHeight: Int, _ interpolation: Interpolation) -> Image {
    if newHeight == height { return self }
    let axis = AxisWeights(from: height, to: newHeight, interpolation)
    let rowLength = width * channelCount
    return Image(width: width, height: newHeight, model: model) { target in
      pixels.withUnsafeBufferPointer { source in
        // Whole rows are added up, which vectorises; the sums of one row stay in the first cache.
        var sums = [Int32](repeating: 0, count: rowLength)
        for y in 0..<newHeight {
          sums.withUnsafeMutableBufferPointer { sums in
            sums.update(repeating: AxisWeights.half)
            for index in 0..<axis.counts[y] {
              let weight = axis.weights[y * axis.stride + index]
              let from = source.baseAddress! + (axis.starts[y] + index) * rowLength
              for x in 0..<rowLength { sums[x] &+= Int32(from[x]) &* weight }
            }
            let to = target.baseAddress! + y * rowLength
            for x in 0..<rowLength { to[x] = AxisWeights.clipped(sums[x]) }
          }
        }
      }
    }
  }

  private func nearest(width newWidth: Int, height newHeight: Int) -> Image {
    let columns = Self.nearestPositions(from: width, to: newWidth)
    let rows = Self.nearestPositions(from: height, to: newHeight)
    let channels = channelCount
    return Image(width: newWidth, height: newHeight, model: model) { target in
      var next = 0
      for row in rows {
        for column in columns {
          let from = (row * width + column) * channels
          for channel in 0..<channels { target[next + channel] = pixels[from + channel] }
          next += channels
        }
      }
    }
  }

  /// The old position under the centre of each new one; positions are added up as Pillow adds them, rounding included.
  private static func nearestPositions(from oldCount: Int, to newCount: Int) -> [Int] {
    let scale = Double(oldCount) / Double(newCount)
    var position = scale * 0.5
    return (0..<newCount).map { _ in
      defer { position += scale }
      return min(Int(position), oldCount - 1)
    }
  }
}
