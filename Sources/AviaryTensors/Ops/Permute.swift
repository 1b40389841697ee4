/// The axes in another order; no element moves.
struct Permute: Operation {
  let order: [Int]
  var onnxName: String { "Transpose" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let shape = inputs[0].shape
    require(
      order.sorted() == Array(shape.indices), "permute: \(order) does not order \(shape.count) axes")
    return [TensorSpec(order.map { shape[$0] }, inputs[0].dtype)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let source = inputs[0].plain()
    let strides = source.strides
    let shape = order.map { source.shape[$0] }
    return [source.view(shape, order.map { strides[$0] })]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    var inverse = order
    for (position, axis) in order.enumerated() { inverse[axis] = position }
    return [context.upstream.permuted(inverse)]
  }
}

extension Tensor {
  /// Axis i of the result is axis `order[i]` of this tensor.
  public func permuted(_ order: [Int]) -> Tensor {
    order == Array(shape.indices) ? self : Permute(order: order)(self)
  }

  /// With two axes exchanged; by default the last two (a matrix transposed).
  public func transposed(_ a: Int = -1, _ b: Int = -2) -> Tensor {
    var order = Array(shape.indices)
    order.swapAt(resolved(axis: a, rank: rank), resolved(axis: b, rank: rank))
    return permuted(order)
  }

  /// Another look at the same bytes, or a copy where the strides are none that oneDNN can describe; the tensor must be plain.
  func view(_ shape: Shape, _ strides: [Int], skipping elements: Int = 0) -> Tensor {
    var offset = elements
    if case .strided(_, let own) = layout { offset += own }
    let view = Tensor(
      shape: shape, dtype: dtype, storage: storage,
      layout: .strides(strides, offset: offset, shape: shape))
    return Layout.areNested(strides, shape) ? view : view.gatheredRowMajor()
  }
}
