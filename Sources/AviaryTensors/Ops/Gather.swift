/// Elements picked along an axis by a tensor of positions: result[..., i, ...] = x[..., index[..., i, ...], ...].
///
/// Inputs: x, and int64 positions of the result's shape, which equals x's but along `axis`.
struct Gather: Operation {
  let axis: Int
  var onnxName: String { "GatherElements" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let (x, index) = (inputs[0].shape, inputs[1].shape)
    require(
      inputs[1].dtype == .int64 && x.count == index.count
        && x.indices.allSatisfy { $0 == axis || x[$0] == index[$0] },
      "gather along axis \(axis) of \(x.shapeText) by positions \(index.shapeText) of type \(inputs[1].dtype)"
    )
    return [TensorSpec(index)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let source = inputs[0].cast(to: .float32)
    let result = source.withUnsafeValues { values in
      inputs[1].withUnsafeValues(of: Int64.self) { positions in
        Tensor(inputs[1].shape) { result in
          forEachPosition(inputs[1].shape, source.shape[axis], positions) { result[$0] = values[$1] }
        }
      }
    }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let zeros = Tensor.zeros(context.inputSpecs[0].shape)
    return [zeros.scatterAdded(axis, context.input(1), context.upstream), nil]
  }

  /// Calls `body` with the place in the positions and the place in the tensor they point into.
  fileprivate func forEachPosition(
    _ shape: Shape, _ extent: Int, _ positions: UnsafeBufferPointer<Int64>, _ body: (Int, Int) -> Void
  ) {
    let inner = shape[(axis + 1)...].reduce(1, *)
    let count = shape[axis]
    for place in positions.indices {
      let position = Int(positions[place])
      require(
        position >= 0 && position < extent, "position \(position) along an axis of \(extent) elements")
      let block = place / (inner * count)
      body(place, (block * extent + position) * inner + place % inner)
    }
  }
}

/// Adds values to places along an axis that a tensor of positions names; the inverse movement of ``Gather``.
///
/// Inputs: x, int64 positions, and values of the positions' shape.
struct ScatterAdd: Operation {
  let axis: Int
  var onnxName: String { "ScatterElements" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    require(
      inputs[1].shape == inputs[2].shape,
      "scatter: \(inputs[2].shape.shapeText) values for \(inputs[1].shape.shapeText) positions")
    _ = Gather(axis: axis).outputs(for: [inputs[0], inputs[1]])
    return [TensorSpec(inputs[0].shape)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    var result = inputs[0].cast(to: .float32).copied()
    let extent = result.shape[axis]
    result.withUnsafeMutableValues { result in
      inputs[1].withUnsafeValues(of: Int64.self) { positions in
        inputs[2].cast(to: .float32).withUnsafeValues { values in
          Gather(axis: axis).forEachPosition(inputs[1].shape, extent, positions) { result[$1] += values[$0] }
        }
      }
    }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    [
      context.upstream, nil,
      context.needs(2) ? context.upstream.gathered(axis, context.input(1)) : nil,
    ]
  }
}

extension Tensor {
  /// Elements picked along `axis` by int64 `positions`.
  public func gathered(_ axis: Int, _ positions: Tensor) -> Tensor {
    Gather(axis: resolved(axis: axis, rank: rank))(self, positions)
  }

  /// With `values` added at int64 `positions` along `axis`.
  public func scatterAdded(_ axis: Int, _ positions: Tensor, _ values: Tensor) -> Tensor {
    ScatterAdd(axis: resolved(axis: axis, rank: rank))(self, positions, values)
  }
}
