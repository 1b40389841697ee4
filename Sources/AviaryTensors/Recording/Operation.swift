/// One differentiable operation: a value whose stored properties are its attributes.
///
/// It states five facts and keeps no state: the shape rule, the kernel call, the gradient, the multiply-adds, and the name of the
/// ONNX operator it corresponds to. Everything that looks at a network (summaries, counters, gradients) reads these.
package protocol Operation: Hashable, Sendable {
  /// Shapes and types of the results; a misuse (operands that do not fit) ends here with a message.
  func outputs(for inputs: [TensorSpec]) -> [TensorSpec]

  /// Computes the results. What only the gradient needs goes to `context`.
  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor]

  /// The products of the outputs' gradients with the derivative: one per input, nil where none was asked for.
  func gradient(_ context: GradientContext) -> [Tensor?]

  /// Multiplications followed by an addition, as the papers count them: convolutions and matrix products only.
  func multiplyAdds(for inputs: [TensorSpec]) -> Int

  /// The window that slides over the spatial axes, where there is one: receptive fields follow from it.
  var window: SlidingWindow? { get }

  /// The ONNX operator with this meaning.
  var onnxName: String { get }

  /// What the gradient reads; anything else is released as soon as the forward pass is over.
  var keeps: Kept { get }
}

extension Operation {
  package func multiplyAdds(for inputs: [TensorSpec]) -> Int { 0 }
  package var keeps: Kept { .inputs }
  package var window: SlidingWindow? { nil }

  /// Runs the operation and records it when an input is tracked.
  func callAsFunction(_ inputs: Tensor...) -> Tensor { apply(inputs)[0] }

  /// As calling it, for operations with several inputs or results.
  package func apply(_ inputs: [Tensor]) -> [Tensor] {
    let scope = ExecutionScope.current
    if let trace = scope.trace { return trace.record(self, inputs) }
    let isRecording = scope.isRecording && inputs.contains { $0.node != nil }
    var context = ForwardContext(isRecording: isRecording)
    let specs = outputs(for: inputs.map(\.spec))
    let values = forward(isRecording ? inputs.map(\.detached) : inputs, &context)
    assert(zip(values, specs).allSatisfy { $0.spec == $1 }, "\(self): results do not follow the shape rule")
    guard isRecording else { return values.map { $0.node == nil ? $0 : $0.detached } }
    let node = Node(self, inputs: inputs, outputs: values, saved: context.saved)
    return values.enumerated().map { index, value in
      value.dtype.isFloatingPoint ? value.with(node: index == 0 ? node : node.output(index)) : value
    }
  }
}

/// An operation with one float32 result and a loop of its own that can write it to given memory, as a compiled network wants it.
protocol WritingOperation: Operation {
  /// The result for row-major float32 inputs.
  func write(_ inputs: [Tensor], to result: UnsafeMutableBufferPointer<Float>)
}

/// Sizes per spatial axis of a window that slides over an input.
package struct SlidingWindow: Hashable, Sendable {
  /// Extents of the window.
  package let kernel: [Int]
  /// Input positions from one window to the next.
  package let stride: [Int]
  /// Input positions from one element of the window to the next.
  package let dilation: [Int]
}

/// The parts of a forward pass that its gradient reads.
package struct Kept: OptionSet, Sendable {
  package let rawValue: Int
  package init(rawValue: Int) { self.rawValue = rawValue }
  /// All operands, as ``GradientContext/input(_:)`` returns them.
  package static let inputs = Kept(rawValue: 1)
  /// All results, as ``GradientContext/output(_:)`` returns them.
  package static let outputs = Kept(rawValue: 2)
}

/// Passed through a forward pass.
package struct ForwardContext {
  /// True when a gradient may be asked for: training-only results (workspaces, saved statistics) are wanted.
  package let isRecording: Bool
  var saved: [Tensor] = []

  /// Keeps a tensor for ``GradientContext/saved``.
  package mutating func save(_ tensor: Tensor) { if isRecording { saved.append(tensor) } }
}

/// What a gradient rule can see.
package struct GradientContext {
  let node: Node
  /// The gradient of the loss with respect to each output; nil where the loss does not depend on it.
  package let outputGradients: [Tensor?]

  /// The gradient of the first output.
  package var upstream: Tensor { outputGradients[0]! }
  /// Shapes and types of the operands, known whether they were kept or not.
  package var inputSpecs: [TensorSpec] { node.inputSpecs }
  /// Shapes and types of the results, known whether they were kept or not.
  package var outputSpecs: [TensorSpec] { node.outputSpecs }
  /// What ``ForwardContext/save(_:)`` was given, in order.
  package var saved: [Tensor] { node.saved }

  /// An operand, for operations that keep their ``Kept/inputs``.
  package func input(_ index: Int) -> Tensor { node.keptInputs[index]! }
  /// A result, for operations that keep their ``Kept/outputs``.
  package func output(_ index: Int) -> Tensor { node.keptOutputs[index]! }
  /// Whether anybody asks for the gradient of this input.
  package func needs(_ index: Int) -> Bool { index < node.parents.count && node.parents[index] != nil }
}
