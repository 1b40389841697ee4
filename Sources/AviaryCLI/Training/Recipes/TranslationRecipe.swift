import Aviary

/// Recipes of translators on made-up dates: the best epoch is that of the lowest loss on dates that were not learned; then others are translated,
/// and counted where every character is right, with the weights as they are stored.
enum TranslationRecipe {
  static func run(_ followed: FollowedRecipe) throws -> (reports: [EpochReport], test: Evaluation) {
    let (recipe, options) = (followed.recipe, followed.options)
    let loaded = try withRandomSeed(recipe.seed) {
      try Zoo.untrainedNetwork(followed.entry, settings: recipe.settings ?? [:])
    }
    guard let dates = recipe.dates, let network = loaded.network as? any TranslationNetwork else {
      throw Recipe.Unsuitable(recipe: followed.name, reason: "it makes up no dates")
    }
    let vocabulary = try TranslationVocabulary(loaded)
    let learner = network.learner(vocabulary, recipe.makeOptimizer())
    learner.gradientNormLimit = 1
    let run = TrainingRun(name: loaded.name, options: options, schedule: recipe.schedule)
    let reports = try run.fit(
      learner, WrittenDates(.training, count: dates.training),
      validation: WrittenDates(.validation, count: dates.validation)
    ) { try loaded.save(to: $0) }

    let floats: DType? = recipe.storesHalf == true ? .float16 : nil
    try Zoo.network(loaded.name, weights: options.output).save(to: options.output, floats: floats)
    let test = WrittenDates(.test, count: dates.test)
    let translator = try Zoo.load(Translator.self, loaded.name, weights: options.output)
    let exact = try (0..<test.count).count { index in
      let (text, date) = test.example(index)
      return try translator.translate(text).text == date
    }
    var stored = try Zoo.network(loaded.name, weights: options.output)
    try network.load(from: options.output)
    var result = try learner.evaluation(on: test, batchSize: recipe.batch)
    result.metrics["exact"] = Float(exact) / Float(test.count)
    stored.metadata.metrics = result.metrics.mapValues { (Double($0) * 1e4).rounded() / 1e4 }
    stored.metadata.source = .init(framework: "aviary")
    try stored.save(to: options.output, floats: floats)
    if let path = options.report {
      var page = TrainingReport(
        title: "\(loaded.name): \(test.count) dates", facts: followed.facts,
        runs: [TrainingReport.Run(loaded.name, reports)])
      page.runs += options.beside
      try page.write(to: path)
    }
    return (reports, result)
  }
}
