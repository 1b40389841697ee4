import Aviary

/// Recipes of networks that paint in one style: the best epoch is that of the lowest loss, and there is no test but to look at what they paint.
enum PainterRecipe {
  /// - Parameter judge: weights of a network that looks at pictures.
  static func run(
    _ followed: FollowedRecipe, judge: String?
  ) throws -> (reports: [EpochReport], test: Evaluation) {
    let (recipe, options) = (followed.recipe, followed.options)
    guard let painting = recipe.painting, let path = followed.folder else {
      throw Recipe.Unsuitable(recipe: followed.name, reason: "it says neither what is painted nor of what")
    }
    let folder = PictureFolder(path)
    guard folder.pictures.count > 1 else { throw UsageError("\(path) holds no pictures") }
    let data = try ContentCrops(folder.pictures, side: painting.side)
    let judge = try StyleTransfer.network(weights: judge)
    let loaded = try withRandomSeed(recipe.seed) {
      try Zoo.untrainedNetwork(followed.entry, settings: ["filters": .integer(painting.filters)])
    }
    let learner = try painting.learner(
      of: loaded, judge: judge, examples: data.batch(Array(stride(from: 0, to: data.count, by: 8))),
      optimizer: recipe.makeOptimizer())
    let run = TrainingRun(name: loaded.name, options: options, schedule: recipe.schedule)
    let reports = try run.fit(learner, data, validation: nil) { try loaded.savingOwn(to: $0) }
    if let path = options.report {
      var page = TrainingReport(
        title: "\(loaded.name): a style", facts: followed.facts,
        runs: [TrainingReport.Run(loaded.name, reports)])
      page.runs += options.beside
      try page.write(to: path)
    }
    let best = reports.map(\.training).min { $0.loss < $1.loss }
    return (reports, best ?? Evaluation(loss: 0, count: 0))
  }
}
