import Aviary
import Foundation

enum TrainCommand: Command {
  static let name = "train"
  static let summary =
    "Trains a model from first values by one of the zoo's recipes: \(Recipe.names.joined(separator: ", "))."
  static let operands = "RECIPE"
  static let options =
    [
      Option("data", "FOLDER", "the data set the recipe is for; pictures that are drawn need none"),
      Option("epochs", "N", "instead of the recipe's"),
      Option("output", "FILE", "the portable file to write: the best epoch's weights"),
    ] + TrainingOptions.options + [Option.json]
  static let example = "aviary train lenet --data mnist --output lenet.safetensors"

  private struct Result: Encodable {
    let epochs: [EpochReport]
    let test: Evaluation
  }

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let recipe = try Recipe.named(name)
    let options = try TrainingOptions(
      arguments, epochs: recipe.epochs, batch: recipe.batch, seed: recipe.seed)
    let entry = try Catalogue.entry(recipe.model)
    let folder = recipe.scenes == nil ? try arguments.required("data") : arguments.string("data") ?? ""
    guard recipe.scenes == nil || folder.isEmpty else {
      throw UsageError("the recipe \(name) draws its pictures: it takes no --data")
    }
    if let objective = recipe.objective {
      return try GenerativeRun(recipe, objective, options).run(named: name, folder)
    }
    var loaded = try withRandomSeed(recipe.seed) {
      try Zoo.untrained(
        entry, Adaptation(classes: recipe.scenes?.generator.classNames.count, side: recipe.size))
    }
    // The best epoch is chosen on a part of the training data: the test data is looked at once, at the end.
    let data = try self.data(recipe, folder, loaded)
    loaded.labels = data.training.classNames
    let (training, validation) = data.training.split(validation: recipe.validation, seed: recipe.seed)
    var run = TrainingRun(
      loaded: loaded, optimizer: recipe.makeOptimizer(), training: training, validation: validation,
      options: options)
    run.schedule = recipe.schedule
    run.isVaried = recipe.augmentation != nil
    run.configure = { learner in
      guard let smoothing = recipe.labelSmoothing else { return }
      learner.loss = { softmaxCrossEntropy($0, labels: $1, smoothing: smoothing) }
    }
    let reports = try run.fit()
    var best = try Zoo.load(entry.name, weights: options.output)
    let test = try best.model.evaluation(on: data.test)
    best.metrics = ["top1": (Double(test.accuracy) * 1e6).rounded() / 1e6]
    best.source = .init(framework: "aviary")
    try best.save(to: options.output)
    if let path = options.report {
      let facts = [("network", entry.name), ("data", recipe.data), ("recipe", "aviary train \(name)")]
      var page = try RunReport.page(best, on: validation, reports, facts: facts)
      page.runs += options.beside
      try page.write(to: path)
    }
    if options.isQuiet { return try Console.printJSON(Result(epochs: reports, test: test)) }
    Console.print(
      String(
        format: "\(options.output): the best epoch, test accuracy %.4f on %d examples", test.accuracy,
        test.count))
  }

  private static func data(
    _ recipe: Recipe, _ folder: String, _ loaded: LoadedModel
  ) throws -> (training: any Dataset, test: any Dataset) {
    func pictures(_ pictures: any AnnotatedPictures, _ augmentation: Augmentation?) -> any Dataset {
      AugmentedPictures<Batch>(pictures, augmentation: augmentation, preprocessing: loaded.preprocessing)
    }
    if let scenes = recipe.scenes {
      return (
        pictures(scenes.pictures(isTraining: true), recipe.augmentation),
        pictures(scenes.pictures(isTraining: false), nil)
      )
    }
    let training = try LabelledData.forTraining(folder, loaded)
    let test = try LabelledData.open(folder, isTraining: false, loaded)
    guard let augmentation = recipe.augmentation else { return (training, test) }
    guard let annotated = training as? any AnnotatedPictures else {
      throw UsageError("the pictures of \(folder) cannot be varied as the recipe has it")
    }
    return (pictures(annotated, augmentation), test)
  }
}
