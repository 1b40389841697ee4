import Aviary
import Foundation

/// Writes a run's checkpoint from time to time, and finds the one to go on from.
final class CheckpointKeeper {
  private let options: TrainingOptions
  private let model: String
  private var lastWritten = ContinuousClock.now
  private var lastDuration = Duration.zero
  private var stepsSince = 0

  /// Writing may take one part in so many of the time.
  private static let share = 50

  init(_ options: TrainingOptions, _ model: String) {
    self.options = options
    self.model = model
  }

  /// Gives the learner what the checkpoint has, and returns where its run stands; nil when a new run begins.
  ///
  /// - Throws: ``UsageError`` for a checkpoint of another run, `WeightsError` for a damaged one.
  func restore(_ learner: some Learner) throws -> TrainingState? {
    guard options.isResuming else { return nil }
    guard FileManager.default.fileExists(atPath: options.checkpoint) else {
      Console.printError("there is no checkpoint \(options.checkpoint): the run begins anew")
      return nil
    }
    let checkpoint = try TrainingCheckpoint(contentsOf: options.checkpoint)
    let (ours, theirs) = (options.settings, checkpoint.settings)
    if let name = Set(ours.keys).union(theirs.keys).sorted().first(where: { ours[$0] != theirs[$0] }) {
      func text(_ value: JSONValue?) -> String {
        guard case .array(let values) = value else { return "not given" }
        let words = values.map { if case .string(let word) = $0 { word } else { "" } }
        return words.joined().isEmpty ? "given" : words.joined(separator: " ")
      }
      throw UsageError(
        "the run of \(options.checkpoint) had another --\(name): \(text(theirs[name])), now \(text(ours[name]))"
      )
    }
    try checkpoint.restore(learner)
    if !options.isQuiet {
      let state = checkpoint.state
      Console.print("goes on in epoch \(min(state.epoch, state.plan.epochs)) after \(state.stepsTaken) steps")
    }
    return checkpoint.state
  }

  /// Writes the checkpoint when it is time to: after an epoch, after as many steps as were asked for, or when the time since the last one makes
  /// up for what writing takes.
  func keep(_ learner: some Learner, _ state: TrainingState) throws {
    stepsSince += 1
    let isDue =
      options.checkpointSteps.map { stepsSince >= $0 }
      ?? (ContinuousClock.now - lastWritten > lastDuration * Self.share)
    guard isDue || state.step == 0 else { return }
    let start = ContinuousClock.now
    try TrainingCheckpoint(of: learner, state, settings: options.settings, model: model)
      .write(to: options.checkpoint)
    (lastWritten, stepsSince) = (.now, 0)
    lastDuration = lastWritten - start
  }

  /// The run is over: nobody goes on with it.
  func finish() throws {
    if FileManager.default.fileExists(atPath: options.checkpoint) {
      try FileManager.default.removeItem(atPath: options.checkpoint)
    }
  }
}
