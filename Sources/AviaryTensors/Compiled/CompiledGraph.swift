import Foundation
import Synchronization

/// A network for one input shape as a flat list of kernels on memory that was laid out beforehand.
///
/// Kernels divide their work evenly among the threads they are made for, so that one thread whose core another program uses holds up all
/// others. When that shows in the runs' times, the network runs on one thread less until the core is free again, with the same results
/// to the last bit.
public final class CompiledGraph {
  /// One step of a run, for people who ask where the time goes.
  public struct Timing: Sendable, Codable {
    public var name: String
    /// The kernel's implementation, or `loop` for one of this package's own.
    public var implementation: String
    public var milliseconds: Double
  }

  public let inputShape: Shape
  private let graph: Graph
  private let algorithms: AlgorithmChoice
  private let precision: DType
  private let plan: BoundPlan
  /// Weights in the layouts of the plan's kernels.
  private let packedWeights: Planner.PackedWeights

  private var pace = Pace()
  private var narrowPlan = NarrowPlan.notTried
  /// The plans' memory holds one run's values at a time.
  private let isRunning = Mutex(())

  /// The same network for one thread less.
  private enum NarrowPlan {
    case notTried
    case made(BoundPlan)
    /// Its kernels add in another order.
    case differs
  }

  /// Bytes of all values of a run.
  public var arenaByteCount: Int { plan.arenaByteCount }

  /// Captures `body` for inputs of `spec` and compiles it.
  ///
  /// - Parameters:
  ///   - weights: the real tensor behind an abstract one that stands for a parameter or buffer.
  ///   - precision: float32, or bfloat16 for convolutions and linear maps whose operands are rounded to it.
  public init(
    _ spec: TensorSpec, algorithms: AlgorithmChoice = .measured, precision: DType = .float32,
    weights: (Tensor) -> Tensor?,
    capturing body: (Tensor) -> Tensor
  ) {
    let input = Tensor.abstract(spec)
    let (output, steps) = Trace.of { body(input) }
    var graph = Graph(steps, input: input, output: output, weights: weights)
    graph.simplify()
    var packedWeights = Planner.PackedWeights()
    plan = Planner.boundPlan(graph, algorithms, precision: precision, &packedWeights)
    self.graph = graph
    self.algorithms = algorithms
    self.precision = precision
    self.packedWeights = packedWeights
    inputShape = spec.shape
  }

  /// The network's result for one input of ``inputShape``. Calls from several threads wait for each other.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    precondition(
      input.shape == inputShape, "compiled for \(inputShape.shapeText), given \(input.shape.shapeText)")
    return isRunning.withLock { _ in
      // A network that packs its weights in each run was not made for a second one.
      guard Parallel.threadCount > 1, algorithms != .once else { return plan(input) }
      if pace.runsNarrow, case .notTried = narrowPlan { return firstNarrowRun(input) }
      if case .differs = narrowPlan { return plan(input) }
      var next = plan
      if pace.runsNarrow, case .made(let narrow) = narrowPlan { next = narrow }
      let start = DispatchTime.now().uptimeNanoseconds
      let result = next(input)
      pace.record(Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6)
      return result
    }
  }

  /// Makes the plan for one thread less, and gives it up for good if its results differ.
  private func firstNarrowRun(_ input: Tensor) -> Tensor {
    let result = plan(input)
    let narrow = makeNarrowPlan()
    narrowPlan = narrow(input).hasSameBits(as: result) ? .made(narrow) : .differs
    return result
  }

  /// The same network for one thread less.
  func makeNarrowPlan() -> BoundPlan {
    var packedWeights = packedWeights
    return Parallel.withThreads(Parallel.threadCount - 1) {
      Planner.boundPlan(graph, algorithms, precision: precision, &packedWeights)
    }
  }

  /// Times each step, the fastest of `repetitions` runs.
  public func profile(_ input: Tensor, repetitions: Int = 10) -> [Timing] {
    isRunning.withLock { _ in plan.profile(input, repetitions: repetitions) }
  }
}

extension Tensor {
  fileprivate func hasSameBits(as other: Tensor) -> Bool {
    withUnsafeBytes { bytes in other.withUnsafeBytes { bytes.elementsEqual($0) } }
  }
}
