/// A computation that was traced once and can be performed with values, one operation after another.
package struct Replay {
  /// The operations in order.
  package let steps: [Trace.Step]
  private let graph: Graph

  /// Traces `body` for inputs of these shapes and types.
  ///
  /// - Parameter weights: the real tensor behind an abstract one that stands for a parameter or buffer.
  package init(
    _ inputs: [TensorSpec], weights: (Tensor) -> Tensor?, tracing body: ([Tensor]) -> [Tensor]
  ) {
    let tensors = inputs.map(Tensor.abstract)
    let (outputs, steps) = Trace.of { body(tensors) }
    self.steps = steps
    graph = Graph(steps, inputs: tensors, outputs: outputs, weights: weights)
  }

  /// The results for inputs of the traced shapes and types.
  ///
  /// - Parameter visit: is told the results of each step, by its place in ``steps``, as soon as they are there.
  package func callAsFunction(_ inputs: [Tensor], visiting visit: (Int, [Tensor]) -> Void) -> [Tensor] {
    graph.evaluated(inputs, visiting: visit)
  }
}
