import Synchronization

/// Collects the operations of a computation instead of running them: shapes flow, values do not.
///
/// Summaries and counters run a model this way: no memory is taken, and weights that were never loaded are never made.
package final class Trace: Sendable {
  /// One operation as it was called.
  package struct Step: Sendable {
    /// What was called, with its attributes.
    package let operation: any Operation
    /// The operands: abstract ones are told apart by ``Tensor/identity``.
    package let inputs: [Tensor]
    /// The results, abstract tensors with shapes and types but no values.
    package let outputs: [Tensor]

    /// Multiplications followed by an addition, as ``Operation/multiplyAdds(for:)`` counts them.
    package var multiplyAdds: Int { operation.multiplyAdds(for: inputs.map(\.spec)) }
  }

  private let recorded = Mutex<[Step]>([])

  private init() {}

  /// The operations so far, in order.
  package var steps: [Step] { recorded.withLock { $0 } }

  func record(_ operation: some Operation, _ inputs: [Tensor]) -> [Tensor] {
    let outputs = operation.outputs(for: inputs.map(\.spec)).map(Tensor.abstract)
    recorded.withLock { $0.append(Step(operation: operation, inputs: inputs, outputs: outputs)) }
    return outputs
  }

  /// True inside ``of(_:)``: whoever would make values may make an abstract tensor instead.
  package static var isActive: Bool { ExecutionScope.current.trace != nil }

  /// The operations that `body` calls, and its result.
  package static func of<Result>(_ body: () throws -> Result) rethrows -> (result: Result, steps: [Step]) {
    let trace = Trace()
    let result = try ExecutionScope.with({ $0.trace = trace }, body)
    return (result, trace.steps)
  }
}

extension Tensor {
  /// Tells tensors apart during a trace: two tensors with equal identity are the same value.
  package var identity: ObjectIdentifier { ObjectIdentifier(storage) }
}
