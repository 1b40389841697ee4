/// Why a training run cannot begin or go on.
public enum TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is nothing to learn from.
  case noExamples
  /// An example's label is none of the network's classes.
  case label(Int, example: Int, classes: Int)
  /// The loss of a step is NaN or infinite. The weights are no better any more; what was saved before is.
  case loss(Float, epoch: Int, step: Int)
  /// The loss on the validation data is NaN or infinite.
  case validationLoss(Float, epoch: Int)
  /// A run shall be gone on with that was another one.
  case otherRun(of: TrainingState.Plan, given: TrainingState.Plan)
  /// What a file says of where a run stands contradicts itself.
  case damagedState

  public var description: String {
    switch self {
    case .noExamples: "there are no examples to train on"
    case .label(let label, let example, let classes):
      "example \(example) has the label \(label), but the network has the classes 0 to \(classes - 1)"
    case .loss(let loss, let epoch, let step):
      "the loss is \(Self.text(loss)) in step \(step) of epoch \(epoch): a lower learning rate may help, or a limit for the gradient's norm"
    case .validationLoss(let loss, let epoch):
      "the loss on the validation data is \(Self.text(loss)) after epoch \(epoch): a lower learning rate may help"
    case .otherRun(let plan, let given):
      "the run to go on with has \(plan.text), not \(given.text)"
    case .damagedState: "where the run stands contradicts itself: the checkpoint is damaged"
    }
  }

  private static func text(_ loss: Float) -> String { loss.isNaN ? "not a number" : "infinite" }
}

extension TrainingState.Plan {
  fileprivate var text: String {
    "\(examples) examples, \(epochs) epochs, batches of \(batchSize) and the seed \(seed)"
  }
}
