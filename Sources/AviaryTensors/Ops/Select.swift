/// Chooses between two tensors by a Boolean one, all three broadcast together.
struct Select: Operation {
  var onnxName: String { "Where" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    require(inputs[0].dtype == .bool, "select: the condition has type \(inputs[0].dtype), not bool")
    guard let values = broadcast(inputs[1].shape, inputs[2].shape),
      let shape = broadcast(inputs[0].shape, values)
    else {
      requirementFailure("select: \(inputs.map(\.shape.shapeText)) do not fit together")
    }
    return [TensorSpec(shape)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let shape = outputs(for: inputs.map(\.spec))[0].shape
    let condition = inputs[0].expanded(to: shape).rowMajor()
    let a = inputs[1].expanded(to: shape).rowMajor()
    let b = inputs[2].expanded(to: shape).rowMajor()
    let result = Tensor(shape) { (result: UnsafeMutableBufferPointer<Float>) in
      condition.withUnsafeValues(of: Bool.self) { condition in
        a.withUnsafeValues { a in
          b.withUnsafeValues { b in
            for i in result.indices { result[i] = condition[i] ? a[i] : b[i] }
          }
        }
      }
    }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let zero = Tensor(Float(0))
    let condition = context.input(0)
    return [
      nil,
      context.needs(1)
        ? select(condition, context.upstream, zero).summed(to: context.inputSpecs[1].shape) : nil,
      context.needs(2)
        ? select(condition, zero, context.upstream).summed(to: context.inputSpecs[2].shape) : nil,
    ]
  }
}

/// `a` where `condition` holds, else `b`.
public func select(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor { Select()(condition, a, b) }
