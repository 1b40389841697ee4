import Aviary

/// Recipes of language models on a file of text: a part at its end is for the test and as much before that for the validation; the best epoch is
/// that of the fewest nats per token there. The test's part is looked at once, at the end, with the weights as they are stored.
enum LanguageRecipe {
  static func run(_ followed: FollowedRecipe) throws -> (reports: [EpochReport], test: Evaluation) {
    let (recipe, options) = (followed.recipe, followed.options)
    guard let path = followed.folder, let length = recipe.length else {
      throw Recipe.Unsuitable(recipe: followed.name, reason: "it says no length of the pieces of a text")
    }
    let text = try TextFile.text(contentsOf: path)
    let vocabulary = Vocabulary(of: text)
    let tokens = try vocabulary.encode(text)
    let held = Int(Float(tokens.count) * recipe.validation)
    let (learned, judged) = (tokens.dropLast(2 * held), tokens.dropLast(held).suffix(held))
    var settings = recipe.settings ?? [:]
    settings["vocabulary"] = .integer(vocabulary.count)
    let loaded = try withRandomSeed(recipe.seed) {
      try Zoo.untrainedNetwork(followed.entry, settings: settings).bound(to: vocabulary)
    }
    let learner = LanguageLearner(loaded.network, recipe.makeOptimizer())
    learner.gradientNormLimit = 5
    var run = TrainingRun(name: loaded.name, options: options, schedule: recipe.schedule)
    if learner.hasState { run.order = .sequential }
    let (training, leftOver) = try TextPieces.data(
      Array(learned), for: learner, length: length, batch: recipe.batch)
    let validation = try TextPieces.data(
      Array(judged), for: learner, length: length, batch: recipe.batch
    ).data
    if !options.isQuiet {
      Console.print(
        "\(vocabulary.count) different characters; \(learned.count) to learn from, of which \(leftOver) at the end fill no batch, \(held) to judge by, \(held) for the test"
      )
    }
    let reports = try run.fit(learner, training, validation: validation) { try loaded.save(to: $0) }

    let best = try Zoo.network(loaded.name, weights: options.output)
    try best.save(to: options.output, floats: recipe.storesHalf == true ? .float16 : nil)
    let model = try Zoo.load(LanguageModel.self, loaded.name, weights: options.output)
    let likelihood = try model.negativeLogLikelihood(of: vocabulary.decode(tokens.suffix(held)))
    let test = Evaluation(
      loss: likelihood.nats, count: likelihood.count,
      metrics: ["nats_per_character": likelihood.nats, "accuracy": likelihood.accuracy])
    var stored = try Zoo.network(loaded.name, weights: options.output)
    stored.metadata.metrics = test.metrics.mapValues { (Double($0) * 1e4).rounded() / 1e4 }
    stored.metadata.source = .init(framework: "aviary")
    try stored.save(to: options.output, floats: recipe.storesHalf == true ? .float16 : nil)
    if let path = options.report {
      var page = TrainingReport(
        title: "\(loaded.name): \(vocabulary.count) characters", facts: followed.facts,
        runs: [TrainingReport.Run(loaded.name, reports)])
      page.runs += options.beside
      try page.write(to: path)
    }
    return (reports, test)
  }
}
