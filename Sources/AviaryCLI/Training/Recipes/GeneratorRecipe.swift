import Aviary

/// Recipes of networks that make pictures: they learn from all pictures of some data, whatever their classes; the test pictures are looked at
/// once, at the end, with the best epoch's weights.
enum GeneratorRecipe {
  static func run(_ followed: FollowedRecipe) throws -> (reports: [EpochReport], test: Evaluation) {
    let (recipe, options) = (followed.recipe, followed.options)
    guard let objective = recipe.objective, let folder = followed.folder else {
      throw Recipe.Unsuitable(recipe: followed.name, reason: "it says neither what is learned nor of what")
    }
    let (loaded, learner) = try withRandomSeed(recipe.seed) {
      let loaded = try Zoo.untrainedNetwork(followed.entry, settings: recipe.settings ?? [:])
      return (
        loaded,
        try objective.learner(for: loaded, rate: recipe.learningRate, weightDecay: recipe.weightDecay)
      )
    }
    let shape = try objective.pictureShape(of: loaded)
    let pictures = try FramedPictures(folder, isTraining: true, shape)
    let (training, validation) = pictures.split(validation: recipe.validation, seed: recipe.seed)
    let test = try FramedPictures(folder, isTraining: false, shape)
    let (reports, judged) = try fit(learner, loaded, followed, training, validation, test)
    let metrics = judged.metrics.merging(["loss": judged.loss]) { $1 }.mapValues {
      (Double($0) * 1e4).rounded() / 1e4
    }
    try Zoo.network(loaded.name, weights: options.output).trained(metrics: metrics).save(to: options.output)
    return (reports, judged)
  }

  private static func fit<Student: Learner>(
    _ learner: Student, _ loaded: LoadedNetwork, _ followed: FollowedRecipe, _ training: Subset,
    _ validation: Subset, _ test: FramedPictures
  ) throws -> (reports: [EpochReport], test: Evaluation) where Student.Batch == Batch {
    let options = followed.options
    var run = TrainingRun(name: loaded.name, options: options, schedule: followed.recipe.schedule)
    run.onEpoch = { _ in
      for complaint in (learner as? AdversarialLearner)?.complaints ?? [] { Console.printError(complaint) }
    }
    let reports = try run.fit(learner, training, validation: validation.count > 0 ? validation : nil) {
      try loaded.save(to: $0)
    }
    if let path = options.report {
      var page = TrainingReport(
        title: "\(loaded.name): pictures of \(followed.recipe.data)", facts: followed.facts,
        runs: [TrainingReport.Run(loaded.name, reports)])
      page.runs += options.beside
      try page.write(to: path)
    }
    try loaded.network.load(from: options.output)
    return (reports, try learner.evaluation(on: test, batchSize: options.batch))
  }
}
