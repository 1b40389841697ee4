import Aviary
import Foundation

enum TrainCommand: Command {
  static let name = "train"
  static let summary = "Trains a model from first values by the recipe that the zoo has for it."
  static let operands = "MODEL"
  static let options =
    [
      Option("data", "FOLDER", "the data set the recipe is for"),
      Option("epochs", "N", "instead of the recipe's"),
      Option("output", "FILE", "the portable file to write: the best epoch's weights"),
    ] + TrainingOptions.options + [Option.json]
  static let example = "aviary train lenet --data mnist --output lenet.safetensors"

  private struct Result: Encodable {
    let epochs: [EpochReport]
    let test: Evaluation
  }

  static func run(_ arguments: Arguments) throws {
    let entry = try Catalogue.entry(try arguments.operands(1)[0])
    let folder = try arguments.required("data")
    let recipe = try Recipe.named(entry.name)
    let options = try TrainingOptions(
      arguments, epochs: recipe.epochs, batch: recipe.batch, seed: recipe.seed)
    let output = options.output
    let loaded = try withRandomSeed(recipe.seed) { try Zoo.untrained(entry) }
    // The best epoch is chosen on a part of the training data: the test data is looked at once, at the end.
    let data = try LabelledData.forTraining(folder, loaded)
    let (training, validation) = data.split(validation: recipe.validation, seed: recipe.seed)
    var run = TrainingRun(
      loaded: loaded, optimizer: recipe.makeOptimizer(), training: training, validation: validation,
      options: options)
    run.augment = recipe.augment
    run.schedule = recipe.schedule
    let reports = try run.fit()
    var best = try Zoo.load(entry.name, weights: output)
    let test = try best.model.evaluation(on: try LabelledData.open(folder, isTraining: false, loaded))
    best.metrics = ["top1": (Double(test.accuracy) * 1e6).rounded() / 1e6]
    best.source = .init(framework: "aviary")
    try best.save(to: output)
    if let path = options.report {
      let facts = [("network", entry.name), ("data", recipe.data), ("recipe", "aviary train \(entry.name)")]
      try RunReport.page(best, on: validation, reports, facts: facts).write(to: path)
    }
    if arguments.has("json") { return try Console.printJSON(Result(epochs: reports, test: test)) }
    Console.print(
      String(
        format: "\(output): the best epoch, test accuracy %.4f on %d examples", test.accuracy, test.count))
  }
}
