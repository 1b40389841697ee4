/// Repeats axes of one element (and adds leading axes) without moving any element.
struct Expand: Operation {
  let shape: Shape
  var onnxName: String { "Expand" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    require(
      broadcast(inputs[0].shape, shape) == shape,
      "expand: \(inputs[0].shape.shapeText) cannot be repeated to \(shape.shapeText)")
    return [TensorSpec(shape, inputs[0].dtype)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let source = inputs[0].plain()
    return [source.view(shape, source.broadcastStrides(to: shape))]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    [context.upstream.summed(to: context.inputSpecs[0].shape)]
  }
}

extension Tensor {
  /// Repeated to `shape` by the broadcasting rule.
  public func expanded(to shape: Shape) -> Tensor { shape == self.shape ? self : Expand(shape: shape)(self) }

  /// The whole tensor `count` times along `axis`.
  public func repeated(_ axis: Int, count: Int) -> Tensor {
    concatenate(Array(repeating: self, count: count), axis: axis)
  }
}
