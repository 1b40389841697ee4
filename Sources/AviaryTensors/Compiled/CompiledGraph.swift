import Synchronization

/// A network for inputs of fixed shapes as a flat list of kernels on memory that was laid out beforehand.
///
/// Threads may share one: its runs take turns. For runs at the same time, each thread takes a ``copy()``.
public final class CompiledGraph: Sendable {
  /// One step of a run, for people who ask where the time goes.
  public struct Timing: Sendable, Codable {
    /// The operations the kernel computes, by their ONNX names, or what the plan itself needed: `reorder`, `copy`, `weights`.
    public var name: String
    /// The kernel's implementation as oneDNN calls it; one of this package's own is `loop`, or `depthwise`, `pointwise` or
    /// `excitation` with the vectors it is made for.
    public var implementation: String
    /// Wall-clock time of the step in one run.
    public var milliseconds: Double
  }

  /// Shapes and types of the inputs, in order.
  public let inputs: [TensorSpec]
  /// The network as it was captured, for inputs that the plan's kernels would make numbers of.
  private let captured: Graph
  /// What copies have in common, the weights in the layouts of their kernels among it.
  private let plan: Plan
  /// The plan's memory holds one run's values at a time.
  private let bound: Mutex<BoundPlan>

  /// Bytes of all values of a run.
  public var arenaByteCount: Int { plan.arena.byteCount }

  /// Captures `body` for inputs of these shapes and types and compiles it.
  ///
  /// - Parameters:
  ///   - weights: the real tensor behind an abstract one that stands for a parameter or buffer.
  ///   - precision: float32, or bfloat16 for convolutions and linear maps whose operands are rounded to it; float32 all the same where the
  ///     processor has no kernels for it.
  public init(
    _ inputs: [TensorSpec], algorithms: AlgorithmChoice = .measured, precision: DType = .float32,
    weights: (Tensor) -> Tensor?,
    capturing body: ([Tensor]) -> [Tensor]
  ) {
    let tensors = inputs.map(Tensor.abstract)
    let (outputs, steps) = Trace.of { body(tensors) }
    captured = Graph(steps, inputs: tensors, outputs: outputs, weights: weights)
    var graph = captured
    graph.simplify()
    plan = Planner.plan(graph, algorithms, precision: precision.isComputed ? precision : .float32)
    bound = Mutex(BoundPlan(plan))
    self.inputs = inputs
  }

  private init(sharing original: CompiledGraph) {
    inputs = original.inputs
    captured = original.captured
    plan = original.plan
    bound = Mutex(BoundPlan(plan))
  }

  /// Another graph that computes the same, bit by bit, and can run at the same time: the weights are this one's, the memory for a run's
  /// values (``arenaByteCount``) is its own.
  public func copy() -> CompiledGraph { CompiledGraph(sharing: self) }

  /// The network's results for inputs of the shapes and types that it was compiled for. Calls from several threads wait for each other.
  ///
  /// A NaN is not lost on the way, as everywhere: where one comes up, the network is run once more, operation by operation.
  public func callAsFunction(_ inputs: [Tensor]) -> [Tensor] {
    let inputs = checked(inputs)
    return InvalidArithmetic.checked {
      bound.withLock { $0(inputs) }
    } careful: { _ in
      withExactArithmetic { captured.evaluated(inputs) }
    }
  }

  /// Times each step, the fastest of `repetitions` runs.
  public func profile(_ inputs: [Tensor], repetitions: Int = 10) -> [Timing] {
    let inputs = checked(inputs)
    return bound.withLock { $0.profile(inputs, repetitions: repetitions) }
  }

  /// The inputs in the types that the plan reads.
  private func checked(_ tensors: [Tensor]) -> [Tensor] {
    let tensors = tensors.count == inputs.count ? zip(tensors, inputs).map { $0.cast(to: $1.dtype) } : tensors
    require(
      tensors.map(\.spec) == inputs, "compiled for \(inputs.text), given \(tensors.map(\.spec).text)")
    return tensors
  }
}

extension CompiledGraph {
  /// A network of one input and one result.
  public convenience init(
    _ input: TensorSpec, algorithms: AlgorithmChoice = .measured, precision: DType = .float32,
    weights: (Tensor) -> Tensor?, capturing body: (Tensor) -> Tensor
  ) {
    self.init([input], algorithms: algorithms, precision: precision, weights: weights) { [body($0[0])] }
  }

  /// The only result for the only input.
  public func callAsFunction(_ input: Tensor) -> Tensor { self([input])[0] }
}

extension [TensorSpec] {
  /// For messages.
  fileprivate var text: String { map { "\($0.shape.shapeText) of \($0.dtype)" }.joined(separator: ", ") }
}
