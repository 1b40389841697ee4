import AviaryTensors

/// The steps of a sequence N×T×…, each N×…: what a recurrence learns by where it goes step by step. The gradient of the sequence is put together
/// once; of slices each would be as large as the sequence.
struct SequenceSteps: Operation {
  var onnxName: String { "Split" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let shape = inputs[0].shape
    require(shape.count > 1, "the steps of a sequence \(shape.shapeText)")
    return (0..<shape[1]).map { _ in
      TensorSpec([shape[0]] + shape.dropFirst(2), inputs[0].dtype)
    }
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    (0..<inputs[0].shape[1]).map { inputs[0].selected(1, $0) }
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let shape = context.outputSpecs[0].shape
    return [stack(context.outputGradients.map { $0 ?? .zeros(shape) }, axis: 1)]
  }
}
