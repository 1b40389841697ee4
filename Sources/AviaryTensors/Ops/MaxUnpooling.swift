extension Tensor {
  /// The largest value of each window of N×C×H×W, and its int64 position in the flattened H·W plane.
  ///
  /// For unpooling and other uses of positions; plain maximum pooling is faster without them.
  public func maxPooledWithPositions(_ geometry: PoolingGeometry) -> (values: Tensor, positions: Tensor) {
    require(rank == 4, "pooling with positions needs N×C×H×W, not \(shape.shapeText)")
    let plane = Array(shape.dropFirst(2))
    let sliding = geometry.sliding(over: plane)
    let extents = sliding.outputExtents(plane, kernel: geometry.kernel)
    let planes = shape[0] * shape[1]
    let positions: [Int64] = withoutTracking.withUnsafeValues { values in
      (0..<planes).flatMap { index in
        (0..<extents[0]).flatMap { row in
          (0..<extents[1]).map { column in
            var best = -1
            for y in sliding.samples(axis: 0, row, geometry.kernel, plane) {
              for x in sliding.samples(axis: 1, column, geometry.kernel, plane) {
                let place = y * plane[1] + x
                let start = index * plane[0] * plane[1]
                if best < 0 || values[start + place] > values[start + best] { best = place }
              }
            }
            return Int64(best)
          }
        }
      }
    }
    let flat = Tensor(positions, shape: Array(shape.prefix(2)) + [extents[0] * extents[1]])
    let result = flattened(from: 2).gathered(2, flat)
    let shape = Array(shape.prefix(2)) + extents
    return (result.reshaped(shape), flat.reshaped(shape))
  }

  /// Values put back where ``maxPooledWithPositions(_:)`` found them, zeros elsewhere.
  public func maxUnpooled(_ positions: Tensor, to extents: [Int]) -> Tensor {
    let zeros = Tensor.zeros(Array(shape.prefix(2)) + [extents.elementCount])
    return zeros.scatterAdded(2, positions.flattened(from: 2), flattened(from: 2))
      .reshaped(Array(shape.prefix(2)) + extents)
  }

  private var withoutTracking: Tensor { detached.cast(to: .float32) }
}

extension ConvolutionGeometry {
  /// The positions inside the input that the kernel at one output position covers.
  fileprivate func samples(axis: Int, _ position: Int, _ kernel: [Int], _ extents: [Int]) -> [Int] {
    (0..<kernel[axis])
      .map { position * stride[axis] - padding.before[axis] + $0 * dilation[axis] }
      .filter { $0 >= 0 && $0 < extents[axis] }
  }
}
