import Synchronization

/// A network for one input shape as a flat list of kernels on memory that was laid out beforehand.
public final class CompiledGraph {
  /// One step of a run, for people who ask where the time goes.
  public struct Timing: Sendable, Codable {
    public var name: String
    /// The kernel's implementation as oneDNN calls it; one of this package's own is `loop`, or `depthwise`, `pointwise` or
    /// `excitation` with the vectors it is made for.
    public var implementation: String
    public var milliseconds: Double
  }

  public let inputShape: Shape
  private let plan: BoundPlan
  /// The network as it was captured, for inputs that the plan's kernels would make numbers of.
  private let captured: Graph
  /// The plan's memory holds one run's values at a time.
  private let isRunning = Mutex(())

  /// Bytes of all values of a run.
  public var arenaByteCount: Int { plan.arenaByteCount }

  /// Captures `body` for inputs of `spec` and compiles it.
  ///
  /// - Parameters:
  ///   - weights: the real tensor behind an abstract one that stands for a parameter or buffer.
  ///   - precision: float32, or bfloat16 for convolutions and linear maps whose operands are rounded to it; float32 all the same where the
  ///     processor has no kernels for it.
  public init(
    _ spec: TensorSpec, algorithms: AlgorithmChoice = .measured, precision: DType = .float32,
    weights: (Tensor) -> Tensor?,
    capturing body: (Tensor) -> Tensor
  ) {
    let input = Tensor.abstract(spec)
    let (output, steps) = Trace.of { body(input) }
    captured = Graph(steps, input: input, output: output, weights: weights)
    var graph = captured
    graph.simplify()
    plan = Planner.boundPlan(
      graph, algorithms, precision: precision.isComputed ? precision : .float32)
    inputShape = spec.shape
  }

  /// The network's result for one input of ``inputShape``. Calls from several threads wait for each other.
  ///
  /// A NaN is not lost on the way, as everywhere: where one comes up, the network is run once more, operation by operation.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    require(
      input.shape == inputShape, "compiled for \(inputShape.shapeText), given \(input.shape.shapeText)")
    return InvalidArithmetic.checked {
      isRunning.withLock { _ in plan(input) }
    } careful: { _ in
      withExactArithmetic { captured.evaluated(input.cast(to: .float32)) }
    }
  }

  /// Times each step, the fastest of `repetitions` runs.
  public func profile(_ input: Tensor, repetitions: Int = 10) -> [Timing] {
    isRunning.withLock { _ in plan.profile(input, repetitions: repetitions) }
  }
}
