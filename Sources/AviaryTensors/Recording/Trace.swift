import Synchronization

/// Collects the operations of a computation instead of running them: shapes flow, values do not.
///
/// Summaries and counters run a model this way: no memory is taken, and weights that were never loaded are never made.
public final class Trace: Sendable {
  /// One operation as it was called.
  public struct Step: Sendable {
    /// What was called, with its attributes.
    public let operation: any Operation
    /// The operands: abstract ones are told apart by ``Tensor/identity``.
    public let inputs: [Tensor]
    /// The results, abstract tensors with shapes and types but no values.
    public let outputs: [Tensor]

    /// Multiplications followed by an addition, as ``Operation/multiplyAdds(for:)`` counts them.
    public var multiplyAdds: Int { operation.multiplyAdds(for: inputs.map(\.spec)) }
  }

  private let recorded = Mutex<[Step]>([])

  private init() {}

  /// The operations so far, in order.
  public var steps: [Step] { recorded.withLock { $0 } }

  func record(_ operation: some Operation, _ inputs: [Tensor]) -> [Tensor] {
    let outputs = operation.outputs(for: inputs.map(\.spec)).map(Tensor.abstract)
    recorded.withLock { $0.append(Step(operation: operation, inputs: inputs, outputs: outputs)) }
    return outputs
  }

  /// True inside ``of(_:)``: whoever would make values may make an abstract tensor instead.
  public static var isActive: Bool { ExecutionScope.current.trace != nil }

  /// The operations that `body` calls, and its result.
  public static func of<Result>(_ body: () throws -> Result) rethrows -> (result: Result, steps: [Step]) {
    let trace = Trace()
    let result = try ExecutionScope.with({ $0.trace = trace }, body)
    return (result, trace.steps)
  }
}

extension Tensor {
  /// Tells tensors apart during a trace: two tensors with equal identity are the same value.
  public var identity: ObjectIdentifier { ObjectIdentifier(storage) }
}
