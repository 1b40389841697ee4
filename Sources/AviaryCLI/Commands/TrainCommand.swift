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

  static func run(_ arguments: Arguments) throws {
    let entry = try Catalogue.entry(try arguments.operands(1)[0])
    let (folder, output) = (try arguments.required("data"), try arguments.required("output"))
    let recipe = try Recipe.named(entry.name)
    let epochs = try arguments.integer("epochs", default: recipe.epochs, in: 1...100_000)
    try Output.checkWritable(output)
    let loaded = try withRandomSeed(recipe.seed) { try Zoo.untrained(entry) }
    let training = try EvaluateCommand.dataset(folder, isTraining: true, loaded)
    let test = try EvaluateCommand.dataset(folder, isTraining: false, loaded)
    let reports = try TrainingRun.fit(
      loaded, recipe.makeOptimizer(), Subset(training, Array(0..<training.count)), test, epochs: epochs,
      batch: recipe.batch, seed: recipe.seed, output: output, isQuiet: arguments.has("json")
    ) { trainer in
      trainer.schedule = recipe.schedule
      trainer.augment = recipe.augment
    }
    if arguments.has("json") { try Console.printJSON(reports) }
  }
}
