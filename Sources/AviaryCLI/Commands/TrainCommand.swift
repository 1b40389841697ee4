import Aviary
import Foundation

enum TrainCommand: Command {
  static let name = "train"
  static let summary = "Trains a model from first values by the recipe that the zoo has for it."
  static let operands = "MODEL"
  static let options = [
    Option("data", "FOLDER", "the data set the recipe is for"),
    Option("epochs", "N", "instead of the recipe's"),
    Option("output", "FILE", "the portable file to write: the best epoch's weights"), Option.json,
  ]
  static let example = "aviary train lenet --data mnist --output lenet.safetensors"

  private struct Result: Encodable {
    let epochs: [EpochReport]
    let test: Evaluation
  }

  static func run(_ arguments: Arguments) throws {
    let entry = try Catalogue.entry(try arguments.operands(1)[0])
    let (folder, output) = (try arguments.required("data"), try arguments.required("output"))
    let recipe = try Recipe.named(entry.name)
    let epochs = try arguments.integer("epochs", default: recipe.epochs, in: 1...100_000)
    try Output.checkWritable(output)
    let loaded = try withRandomSeed(recipe.seed) { try Zoo.untrained(entry) }
    // The best epoch is chosen on a part of the training data: the test data is looked at once, at the end.
    let data = try LabelledData.forTraining(folder, loaded)
    let (training, validation) = data.split(validation: recipe.validation, seed: recipe.seed)
    let reports = try TrainingRun.fit(
      loaded, recipe.makeOptimizer(), training, validation, epochs: epochs, batch: recipe.batch,
      seed: recipe.seed,
      output: output, isQuiet: arguments.has("json")
    ) { trainer in
      trainer.schedule = recipe.schedule
      trainer.learner.augment = recipe.augment
    }
    var best = try Zoo.load(entry.name, weights: output)
    let test = try best.model.evaluation(on: try LabelledData.open(folder, isTraining: false, loaded))
    best.metrics = ["top1": (Double(test.accuracy) * 1e6).rounded() / 1e6]
    best.source = .init(framework: "aviary")
    try best.save(to: output)
    if arguments.has("json") { return try Console.printJSON(Result(epochs: reports, test: test)) }
    Console.print(
      String(
        format: "\(output): the best epoch, test accuracy %.4f on %d examples", test.accuracy, test.count))
  }
}
