/// The product of `seeds` with the derivative of `body` at `point`: the gradient with respect to `point` of a loss whose gradients with respect
/// to the results of `body` are the seeds.
///
/// In a trace it is one step, so that networks whose results are gradients can be summed up, replayed and compiled as all others. It computes
/// `body` again, and has no gradient itself.
///
/// - Parameters:
///   - beside: the other operands of `body`, weights above all.
///   - body: a function of `point` and the others, which reads nothing else that is traced.
package func pulledBack(
  _ seeds: [Tensor], at point: Tensor, beside others: [Tensor],
  through body: @escaping @Sendable (_ point: Tensor, _ others: [Tensor]) -> [Tensor]
) -> Tensor {
  Pullback(identity: Leaf(), count: others.count, body: body).apply([point] + others + seeds)[0]
}

/// Operands: the point, the function's other operands, the seeds.
private struct Pullback: Operation {
  let identity: Leaf
  /// Of the other operands.
  let count: Int
  let body: @Sendable (Tensor, [Tensor]) -> [Tensor]
  var onnxName: String { "Gradient" }
  var keeps: Kept { [] }

  static func == (a: Pullback, b: Pullback) -> Bool { a.identity.node === b.identity.node }
  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(identity.node)) }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    require(inputs.count > count, "the derivative of a function of \(count) operands at none")
    return [TensorSpec(inputs[0].shape)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let leaf = Leaf()
    var results = withRecording {
      body(inputs[0].cast(to: .float32).tracked(as: leaf), Array(inputs[1...count]))
    }
    let seeds = Array(inputs[(count + 1)...])
    let gradient = backward(from: take(&results), seeds: seeds, to: [leaf])[0]
    return [gradient ?? .zeros(inputs[0].shape)]
  }

  /// Hands over the only reference, so that the recording can be released while it is walked.
  private func take(_ tensors: inout [Tensor]) -> [Tensor] {
    defer { tensors = [] }
    return tensors
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    requirementFailure("a gradient of a gradient was asked for")
  }

  /// As many as the function itself has: of each convolution's operands, one needs a gradient.
  func multiplyAdds(for inputs: [TensorSpec]) -> Int {
    let operands = inputs.prefix(count + 1).map(Tensor.abstract)
    return Trace.of { body(operands[0], Array(operands.dropFirst())) }.steps.reduce(0) {
      $0 + $1.multiplyAdds
    }
  }
}
