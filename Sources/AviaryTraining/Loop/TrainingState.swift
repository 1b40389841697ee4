/// Where a training run stands: with the weights and the optimisers' state, all that is needed to go on as if it had never stopped.
public struct TrainingState: Sendable, Hashable, Codable {
  /// What decides the course of a run beside data, weights and optimisers.
  public struct Plan: Sendable, Hashable, Codable {
    /// Examples of an epoch.
    public let examples: Int
    /// How often the examples are gone through.
    public let epochs: Int
    /// Examples of a step.
    public let batchSize: Int
    /// What order and chance are drawn from.
    public let seed: UInt64

    /// Steps of an epoch; the last one may have fewer examples.
    public var steps: Int { (examples + batchSize - 1) / batchSize }
  }

  /// The run that it is a state of.
  public let plan: Plan
  /// Of the next step, counted from 1; one more than the plan's at the end.
  public internal(set) var epoch = 1
  /// The next step of the epoch, counted from 0; the plan's number of steps when only the validation is left.
  public internal(set) var step = 0
  /// The means over the epoch's steps so far.
  public internal(set) var running = Evaluation.none
  /// Time that the epoch took so far.
  public internal(set) var seconds = 0.0
  /// Time of it in which the learner waited for batches.
  public internal(set) var secondsWaited = 0.0
  /// The step size of the last step.
  public internal(set) var learningRate: Float = 0
  /// The epochs that are done.
  public internal(set) var reports: [EpochReport] = []
  /// The place of the best of them; nil before the first.
  public internal(set) var best: Int?

  /// The beginning of a run.
  init(_ plan: Plan) { self.plan = plan }

  /// Steps that were taken since the beginning.
  public var stepsTaken: Int { (epoch - 1) * plan.steps + step }
  /// Whether nothing is left to do.
  public var isFinished: Bool { epoch > plan.epochs }

  /// Epochs since the best one.
  var epochsWithoutGain: Int { best.map { reports.count - 1 - $0 } ?? 0 }

  /// Throws ``TrainingError`` unless the state is of this plan, and can be one of it.
  func check(_ plan: Plan) throws(TrainingError) {
    guard self.plan == plan else { throw .otherRun(of: self.plan, given: plan) }
    guard 1...(plan.epochs + 1) ~= epoch, 0...plan.steps ~= step, reports.count == epoch - 1,
      best.map(reports.indices.contains) ?? reports.isEmpty
    else { throw .damagedState }
  }
}
