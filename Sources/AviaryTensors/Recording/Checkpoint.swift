/// Gradient checkpointing (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): `body` keeps only its inputs
/// and is computed a second time when its gradient is asked for.
///
/// Tracked tensors that `body` reads must be passed as `inputs`, except parameters. Random numbers repeat in the second run.
/// Both runs happen on the thread that takes the gradient, inside its scope, so `body` may use modules.
public func checkpoint(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
  let scope = ExecutionScope.current
  if scope.trace != nil || !scope.isRecording { return body(inputs) }
  let replay = scope.generator.snapshot()
  let operation = Checkpoint(identity: Leaf(), body: Unchecked(body), generator: replay)
  // With nothing tracked among the inputs, the parameters inside may still be: an anchor keeps the result tracked.
  return operation.apply(inputs + [Tensor.zeros([1]).tracked(as: Leaf())])[0]
}

private struct Checkpoint: ReplayedOperation {
  let identity: Leaf
  let body: Unchecked<([Tensor]) -> Tensor>
  let generator: RandomGenerator
  var onnxName: String { "" }

  static func == (a: Checkpoint, b: Checkpoint) -> Bool { a.identity.node === b.identity.node }
  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(identity.node)) }

  /// The shape is what `body` makes of it: traced, not computed.
  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    [Trace.of { body.value(inputs.dropLast().map(Tensor.abstract)) }.result.spec]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    [withoutRecording { body.value(Array(inputs.dropLast())) }]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    requirementFailure("a checkpoint's gradient is found by replaying it")
  }

  func replay(_ context: GradientContext, into pass: inout BackwardPass) {
    let inputs = context.node.keptInputs.dropLast().enumerated().map { index, input in
      guard let parent = context.node.parents[index] else { return input! }
      return input!.with(node: parent.node.output(parent.output))
    }
    var scope = ExecutionScope.current
    scope.isRecording = true
    scope.generator = generator.snapshot()
    let output = ExecutionScope.$current.withValue(scope) {
      body.value(inputs.map { $0.isTracked ? Passage()($0) : $0 })
    }
    if let node = output.node?.asParent { pass.accumulate(context.upstream, at: node) }
  }
}

/// Hands values and gradients through unchanged: a checkpoint's inner inputs, one step deeper than the outer ones.
private struct Passage: Operation {
  var onnxName: String { "Identity" }
  var keeps: Kept { [] }
  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] { inputs }
  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] { inputs }
  func gradient(_ context: GradientContext) -> [Tensor?] { [context.upstream] }
}
