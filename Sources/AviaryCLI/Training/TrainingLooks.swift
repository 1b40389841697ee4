import Aviary
import Foundation

/// What is looked at before a long run, without training.
enum TrainingLooks {
  static func checkSanity(
    _ loaded: LoadedClassifier, _ data: any Dataset, _ optimisation: Optimisation, _ arguments: Arguments
  ) throws {
    // A batch by heart takes larger steps than fine-tuning.
    optimisation.optimizer.learningRate = max(optimisation.optimizer.learningRate, 1e-3)
    let learner = ClassifierLearner(loaded.model, optimisation.optimizer)
    let check = try SanityCheck(learner, data)
    if arguments.has("json") { return try Console.printJSON(check) }
    Console.print(
      String(
        format: """
          loss before training  %.4f; guessing among the classes costs %.4f: \(check.beginsByGuessing ? "as it should be" : "NOT about the same")
          one small batch       loss %.4f, accuracy %.2f after %d steps: \(check.canOverfit ? "learned by heart" : "NOT learned by heart")
          """, check.initialLoss, check.guessingLoss, check.overfittedLoss, check.overfittedAccuracy,
        check.steps))
    if !check.canOverfit { throw ToldFailure() }
  }

  private struct Overfitting: Encodable {
    let initialLoss: Float
    let overfittedLoss: Float
    let steps: Int
    var canOverfit: Bool { overfittedLoss < 0.5 * initialLoss }
  }

  /// Whether one small batch can be learned: half its loss within a hundred steps.
  static func checkOverfitting<Student: SingleNetworkLearner>(
    _ learner: Student, _ data: some TrainingData<Student.Batch>, batch: Int, _ arguments: Arguments
  ) throws {
    learner.optimizer.learningRate = max(learner.optimizer.learningRate, 1e-3)
    let batch = try data.batch(Array(0..<min(batch, data.count)))
    learner.network.evaluate()
    let initial = try learner.evaluation(of: batch).loss
    var (reached, steps) = (initial, 0)
    while steps < 100, reached.isFinite, reached >= 0.5 * initial {
      learner.network.train()
      _ = try withRandomSeed(UInt64(steps)) { try learner.learn(from: batch) }
      steps += 1
      learner.network.evaluate()
      if steps % 5 == 0 { reached = try learner.evaluation(of: batch).loss }
    }
    let check = Overfitting(initialLoss: initial, overfittedLoss: reached, steps: steps)
    if arguments.has("json") {
      try Console.printJSON(check)
    } else {
      Console.print(
        String(
          format:
            "one small batch  loss %.4f before training, %.4f after %d steps: \(check.canOverfit ? "it can be learned" : "NOT learned")",
          initial, reached, steps))
    }
    if !check.canOverfit { throw ToldFailure() }
  }

  static func findRate<Student: Learner>(
    _ learner: Student, _ data: some TrainingData<Student.Batch>, _ options: TrainingOptions,
    _ arguments: Arguments
  ) throws {
    let finder = try LearningRateFinder(learner, data, batchSize: options.batch, seed: options.seed)
    if arguments.has("json") { return try Console.printJSON(finder.points) }
    Console.print(
      Console.table(
        ["learning rate", "loss"],
        finder.points.map { [String(format: "%.2e", $0.rate), String(format: "%.4f", $0.loss)] },
        right: [0, 1]))
    Console.print(
      finder.suggestion.map { String(format: "the loss falls fastest at %.1e", $0) }
        ?? "the loss falls at no rate")
  }
}
