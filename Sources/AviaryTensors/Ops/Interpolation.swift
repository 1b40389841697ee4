/// How values between the samples are found.
public enum InterpolationMode: Hashable, Sendable {
  /// The sample at ⌊i · scale⌋, as PyTorch's `nearest`.
  case nearest
  /// Linear per axis. `alignsCorners` puts the first and last samples on the first and last results; otherwise samples
  /// are centres of pixels.
  case linear(alignsCorners: Bool)
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
        let place: Float
        if alignsCorners {
          place = target > 1 ? Float(position) * (Float(source - 1) / Float(target - 1)) : 0
        } else {
          place = max((Float(position) + 0.5) * (Float(source) / Float(target)) - 0.5, 0)
        }
        let low = min(Int(place), source - 1)
        let fraction = min(max(place - Float(low), 0), 1)
        if fraction == 0 || low == source - 1 { return [Tap(index: low, weight: 1)] }
        return [Tap(index: low, weight: 1 - fraction), Tap(index: low + 1, weight: fraction)]
      }
    }
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
    zip(2..., extents).reduce(self) { result, step in
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
    return zip(2..., extents).reduce(self) { result, step in
      let (axis, extent) = step
      let windows = AxisMap.Table.windows(shape[axis], extent)
      return concatenate(windows.map { result.sliced(axis, $0).amax([axis], keepsAxes: true) }, axis: axis)
    }
  }

  /// The pooling that makes equal windows, when the extents divide.
  private func dividing(into extents: [Int]) -> PoolingGeometry? {
    let spatial = Array(shape.dropFirst(2))
    precondition(
      extents.count == spatial.count, "adaptive pooling of \(shape.shapeText) to \(extents.shapeText)")
    guard zip(spatial, extents).allSatisfy({ $0 % $1 == 0 }) else { return nil }
    return PoolingGeometry(kernel: zip(spatial, extents).map { $0 / $1 })
  }
}
