/// The same elements in row-major order under another shape.
struct Reshape: Operation {
  let shape: Shape
  var onnxName: String { "Reshape" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    require(
      shape.elementCount == inputs[0].shape.elementCount,
      "reshape: \(inputs[0].shape.shapeText) has not as many elements as \(shape.shapeText)")
    return [TensorSpec(shape, inputs[0].dtype)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let source = inputs[0].rowMajor()
    return [Tensor(shape: shape, dtype: source.dtype, storage: source.storage)]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    [context.upstream.reshaped(context.inputSpecs[0].shape)]
  }
}

extension Tensor {
  /// The same elements under another shape; one extent may be -1 and is then worked out.
  public func reshaped(_ shape: Shape) -> Tensor {
    var shape = shape
    if let free = shape.firstIndex(of: -1) {
      let known = shape.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
      shape[free] = known == 0 ? 0 : count / known
    }
    return shape == self.shape ? self : Reshape(shape: shape)(self)
  }

  /// Axes `from...` merged into one.
  public func flattened(from axis: Int = 0) -> Tensor {
    reshaped(Array(shape.prefix(axis)) + [shape.dropFirst(axis).reduce(1, *)])
  }

  /// With an axis of one element inserted at `axis`.
  public func expandedAxis(at axis: Int) -> Tensor {
    var shape = shape
    shape.insert(1, at: axis < 0 ? axis + rank + 1 : axis)
    return reshaped(shape)
  }

  /// Without the axis `axis`, which must have one element.
  public func squeezed(_ axis: Int) -> Tensor {
    var shape = shape
    let axis = resolved(axis: axis, rank: rank)
    require(shape[axis] == 1, "squeezed: axis \(axis) of \(shape.shapeText) has more than one element")
    shape.remove(at: axis)
    return reshaped(shape)
  }
}
