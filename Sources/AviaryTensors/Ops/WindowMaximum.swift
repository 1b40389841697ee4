/// The largest value of each window of N×C×spatial, and its int64 position in the flattened plane, by a plain loop.
///
/// For unequal windows, for uses of positions, and for values among which is a NaN, which counts as the largest. oneDNN's kernel
/// (``Pooling``) is faster and forgets a NaN.
struct WindowMaximum: Operation {
  /// The places along each spatial axis that a result reads: axis, position of the result, places.
  let windows: [[[Int]]]
  var onnxName: String { "MaxPool" }
  var keeps: Kept { [] }

  /// The windows of a pooling over a plane of the given extents.
  init(_ geometry: ConvolutionGeometry, kernel: [Int], over plane: [Int]) {
    let extents = geometry.outputExtents(plane, kernel: kernel)
    windows = plane.indices.map { axis in
      (0..<extents[axis]).map { position in
        (0..<kernel[axis])
          .map {
            position * geometry.stride[axis] - geometry.padding.before[axis] + $0 * geometry.dilation[axis]
          }
          .filter { 0..<plane[axis] ~= $0 }
      }
    }
  }

  init(windows: [[[Int]]]) { self.windows = windows }

  private var extents: [Int] { windows.map(\.count) }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let shape = inputs[0].shape
    require(
      shape.count == windows.count + 2, "windows over \(windows.count) axes of \(shape.shapeText)")
    let result = Array(shape.prefix(2)) + extents
    return [TensorSpec(result), TensorSpec(result, .int64)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let source = inputs[0].cast(to: .float32)
    let plane = Array(source.shape.dropFirst(2))
    let windows = places(in: plane)
    let shape = outputs(for: inputs.map(\.spec))[0].shape
    let positions = source.withUnsafeValues { values in
      Tensor(shape, of: Int64.self) { positions in
        Parallel.forEachRange(positions.count, grain: 4096) { range in
          for index in range {
            let (image, window) = index.quotientAndRemainder(dividingBy: windows.count)
            let start = image * plane.elementCount
            // Of several NaN the last one counts, as in PyTorch.
            positions[index] = Int64(
              windows[window].reduce(windows[window].first ?? 0) { best, place in
                let value = values[start + place]
                return value > values[start + best] || value.isNaN ? place : best
              })
          }
        }
      }
    }
    context.save(positions)
    let values = source.flattened(from: 2).gathered(2, positions.flattened(from: 2)).reshaped(shape)
    return [values, positions]
  }

  /// For each result of a plane the places that it reads.
  private func places(in plane: [Int]) -> [[Int]] {
    zip(windows, plane).reduce([[0]]) { places, step in
      let (windows, extent) = step
      return places.flatMap { outer in
        windows.map { window in outer.flatMap { place in window.map { place * extent + $0 } } }
      }
    }
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    [context.upstream.maxUnpooled(context.saved[0], to: Array(context.inputSpecs[0].shape.dropFirst(2)))]
  }
}

extension Tensor {
  /// The largest value of each window of N×C×spatial, and its int64 position in the flattened plane.
  ///
  /// For unpooling and other uses of positions; plain maximum pooling is faster without them.
  public func maxPooledWithPositions(_ geometry: PoolingGeometry) -> (values: Tensor, positions: Tensor) {
    let plane = Array(shape.dropFirst(2))
    let windows = WindowMaximum(geometry.sliding(over: plane), kernel: geometry.kernel, over: plane)
    let results = windows.apply([self])
    return (results[0], results[1])
  }

  /// Values put back where ``maxPooledWithPositions(_:)`` found them, zeros elsewhere.
  public func maxUnpooled(_ positions: Tensor, to extents: [Int]) -> Tensor {
    let zeros = Tensor.zeros(Array(shape.prefix(2)) + [extents.elementCount])
    return zeros.scatterAdded(2, positions.flattened(from: 2), flattened(from: 2))
      .reshaped(Array(shape.prefix(2)) + extents)
  }
}
