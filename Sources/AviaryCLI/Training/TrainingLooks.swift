import Aviary
import Foundation

/// What is looked at before a long run, without training.
enum TrainingLooks {
  static func checkSanity(
    _ loaded: LoadedModel, _ data: any Dataset, _ optimisation: Optimisation, _ arguments: Arguments
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

  static func findRate(
    _ loaded: LoadedModel, _ data: any Dataset, _ options: TrainingOptions,
    _ optimisation: Optimisation, _ arguments: Arguments
  ) throws {
    let finder = try LearningRateFinder(
      ClassifierLearner(loaded.model, optimisation.optimizer), data, batchSize: options.batch,
      seed: options.seed)
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
