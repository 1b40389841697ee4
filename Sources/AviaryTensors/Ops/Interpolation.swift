/// How values between the samples are found.
public enum InterpolationMode: Hashable, Sendable {
  /// The sample at ⌊i · scale⌋, as PyTorch's `nearest`.
  case nearest
  /// Linear per axis. `alignsCorners` puts the first and last samples on the first and last results; otherwise samples
  /// are centres of pixels.
  case linear(alignsCorners: Bool)
  /// Keys' cubic convolution per axis with a = −3/4, as PyTorch's `bicubic`; what lies outside is the outermost sample.
  case cubic(alignsCorners: Bool)
}

extension AxisMap.Table {
  /// From `source` samples to `target` samples.
  init(_ mode: InterpolationMode, from source: Int, to target: Int) {
    rows = (0..<target).map { position in
      switch mode {
      case .nearest:
        let scale = Float(source) / Float(target)
        return [Tap(index: min(Int(Float(position) * scale), source - 1), weight: 1)]
      case .linear(let alignsCorners):
        let place = max(Self.place(of: position, source, target, alignsCorners), 0)
        let low = min(Int(place), source - 1)
        let fraction = min(max(place - Float(low), 0), 1)
        if fraction == 0 || low == source - 1 { return [Tap(index: low, weight: 1)] }
        return [Tap(index: low, weight: 1 - fraction), Tap(index: low + 1, weight: fraction)]
      case .cubic(let alignsCorners):
        let place = Self.place(of: position, source, target, alignsCorners)
        let low = Int(place.rounded(.down))
        return (low - 1...low + 2).map { index in
          Tap(index: min(max(index, 0), source - 1), weight: Self.keys(abs(place - Float(index))))
        }
      }
    }
  }

  /// Where among `source` samples a result lies.
  private static func place(of position: Int, _ source: Int, _ target: Int, _ alignsCorners: Bool) -> Float {
    guard alignsCorners else { return (Float(position) + 0.5) * (Float(source) / Float(target)) - 0.5 }
    return target > 1 ? Float(position) * (Float(source - 1) / Float(target - 1)) : 0
  }

  /// The weight of a sample at a distance below 2 (Keys 1981, equation 8).
  private static func keys(_ x: Float) -> Float {
    let a: Float = -0.75
    return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : (((x - 5) * x + 8) * x - 4) * a
  }

  /// Means over windows that together cover `source` samples: window i is ⌊i·s/t⌋ ..< ⌈(i+1)·s/t⌉.
  init(adaptiveMeanFrom source: Int, to target: Int) {
    rows = AxisMap.Table.windows(source, target).map { window in
      window.map { Tap(index: $0, weight: 1 / Float(window.count)) }
    }
  }

  static func windows(_ source: Int, _ target: Int) -> [Range<Int>] {
    (0..<target).map { ($0 * source / target)..<((($0 + 1) * source + target - 1) / target) }
  }
}

extension Tensor {
  /// The spatial axes of N×C×spatial resampled to `extents`.
  public func interpolated(to extents: [Int], _ mode: InterpolationMode) -> Tensor {
    require(
      extents.count == rank - 2 && (extents + shape.dropFirst(2)).allSatisfy { $0 > 0 },
      "interpolation of \(shape.shapeText) to \(extents.shapeText)")
    return zip(2..., extents).reduce(self) { result, step in
      let (axis, extent) = step
      if extent == shape[axis], mode != .nearest { return result }
      return AxisMap(
        axis: axis, table: .init(mode, from: shape[axis], to: extent), onnxName: "Resize")(result)
    }
  }

  /// The mean over windows that divide the spatial axes of N×C×spatial into `extents` pieces.
  public func adaptiveAveragePooled(to extents: [Int]) -> Tensor {
    if let geometry = dividing(into: extents) { return averagePooled(geometry) }
    return zip(2..., extents).reduce(self) { result, step in
      let (axis, extent) = step
      return AxisMap(
        axis: axis, table: .init(adaptiveMeanFrom: shape[axis], to: extent), onnxName: "AveragePool")(result)
    }
  }

  /// The largest value of windows that divide the spatial axes of N×C×spatial into `extents` pieces.
  public func adaptiveMaxPooled(to extents: [Int]) -> Tensor {
    if let geometry = dividing(into: extents) { return maxPooled(geometry) }
    let windows = zip(shape.dropFirst(2), extents).map { AxisMap.Table.windows($0, $1).map(Array.init) }
    return WindowMaximum(windows: windows).apply([self])[0]
  }

  /// The pooling that makes equal windows, when the extents divide.
  private func dividing(into extents: [Int]) -> PoolingGeometry? {
    let spatial = Array(shape.dropFirst(2))
    require(
      extents.count == spatial.count && (extents + spatial).allSatisfy { $0 > 0 },
      "adaptive pooling of \(shape.shapeText) to \(extents.shapeText)")
    guard zip(spatial, extents).allSatisfy({ $0 % $1 == 0 }) else { return nil }
    return PoolingGeometry(kernel: zip(spatial, extents).map { $0 / $1 })
  }
}
