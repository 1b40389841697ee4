import Aviary
import Foundation

enum TrainCommand: Command {
  static let name = "train"
  static let summary =
    "Trains a model from first values by one of the zoo's recipes: \(Recipe.names.joined(separator: ", "))."
  static let operands = "RECIPE"
  static let options =
    [
      Option(
        "data", "FOLDER",
        "the data set the recipe is for; a file of text for a language model; what is drawn or made up needs none"
      ),
      Option("judge", "FILE", "weights of VGG or HED, which a painter's pictures are looked at with"),
      Option("epochs", "N", "instead of the recipe's"),
      Option("output", "FILE", "the portable file to write: the best epoch's weights"),
    ] + TrainingOptions.options + [Option.json]
  static let example = "aviary train lenet --data mnist --output lenet.safetensors"

  private struct Result: Encodable {
    let epochs: [EpochReport]
    let test: Evaluation
  }

  static func run(_ arguments: Arguments) throws {
    let recipe = try FollowedRecipe(arguments)
    guard recipe.entry.task == .stylization || !arguments.has("judge") else {
      throw UsageError("the recipe \(recipe.name) takes no --judge")
    }
    let (reports, test) =
      switch recipe.entry.task {
      case .classification: try ClassifierRecipe.run(recipe)
      case .segmentation: try SegmenterRecipe.run(recipe)
      case .stylization: try PainterRecipe.run(recipe, judge: try arguments.file("judge"))
      case .generation: try GeneratorRecipe.run(recipe)
      case .detection: try DetectorRecipe.run(recipe)
      case .captioning: try CaptionerRecipe.run(recipe)
      case .language: try LanguageRecipe.run(recipe)
      case .translation: try TranslationRecipe.run(recipe)
      }
    let options = recipe.options
    if options.isQuiet { return try Console.printJSON(Result(epochs: reports, test: test)) }
    let metrics = test.metrics.sorted { $0.key < $1.key }.map {
      String(format: "%@ %.4f", $0.key.replacing("_", with: " "), $0.value)
    }
    Console.print(
      "\(options.output): the best epoch, test \(metrics.joined(separator: ", ")) on \(test.count) examples")
  }
}

/// A recipe as the command line wants it followed.
struct FollowedRecipe {
  let name: String
  let recipe: Recipe
  let entry: ZooEntry
  let options: TrainingOptions
  /// The folder or file of the data; nil where pictures are drawn, or dates made up.
  let folder: String?

  /// What a page about the run says of it.
  var facts: [(name: String, value: String)] {
    [("network", entry.name), ("data", recipe.data), ("recipe", "aviary train \(name)")]
  }
}

extension FollowedRecipe {
  /// Throws ``UsageError`` for data that are missing, or that the recipe has no use for.
  init(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let recipe = try Recipe.named(name)
    guard recipe.scenes == nil || !arguments.has("data") else {
      throw UsageError("the recipe \(name) draws its pictures: it takes no --data")
    }
    guard recipe.dates == nil || !arguments.has("data") else {
      throw UsageError("the recipe \(name) makes up its dates: it takes no --data")
    }
    self.init(
      name: name, recipe: recipe, entry: try Catalogue.entry(recipe.model),
      options: try TrainingOptions(
        arguments, epochs: recipe.epochs, batch: recipe.batch, seed: recipe.seed),
      folder: recipe.scenes == nil && recipe.dates == nil ? try arguments.required("data") : nil)
  }
}
