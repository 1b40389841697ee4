/// What happened in one epoch of training.
public struct EpochReport: Sendable, Codable, Hashable {
  /// Counted from 1.
  public var epoch: Int
  /// The means over the epoch's steps, with weights that changed meanwhile.
  public var training: Evaluation
  /// The means over the validation data after the epoch; nil where there is none.
  public var validation: Evaluation?
  /// The step size of the last step.
  public var learningRate: Float
  /// Time that the epoch took, validation included.
  public var seconds: Double
  /// Time of it in which the learner waited for batches.
  public var secondsWaited: Double
}

/// What happened in one step.
public struct StepReport: Sendable {
  /// Counted from 1 over the whole run.
  public let step: Int
  /// The loss and the metrics of the step's batch.
  public let evaluation: Evaluation
  /// The step size.
  public let learningRate: Float
}

/// Where a training run is, for a progress bar.
public struct TrainingProgress: Sendable {
  /// Counted from 1.
  public let epoch: Int
  /// As many as there will be.
  public let epochs: Int
  /// Examples seen in this epoch, of `total`.
  public let seen: Int
  /// Examples of an epoch.
  public let total: Int
  /// The mean loss of the epoch so far.
  public let loss: Float
}
