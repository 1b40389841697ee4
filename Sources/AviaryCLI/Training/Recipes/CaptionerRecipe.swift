import Aviary

/// Recipes of captioners on drawn pictures: the best epoch is that of the lowest loss on a part of the training pictures; then other pictures are
/// captioned, and counted where every word is right.
enum CaptionerRecipe {
  static func run(_ followed: FollowedRecipe) throws -> (reports: [EpochReport], test: Evaluation) {
    let (recipe, options) = (followed.recipe, followed.options)
    let loaded = try withRandomSeed(recipe.seed) { try Zoo.untrainedNetwork(followed.entry) }
    guard recipe.scenes != nil, let network = loaded.network as? ShowAttendTell,
      let vocabulary = try loaded.metadata.labels.map(WordVocabulary.init)
    else {
      throw Recipe.Unsuitable(
        recipe: followed.name, reason: "it draws no pictures, or its network has no words for them")
    }
    let preprocessing = try loaded.preprocessing()
    func data(_ pictures: any AnnotatedPictures) -> AugmentedPictures<CaptionBatch> {
      AugmentedPictures(pictures, augmentation: nil, preprocessing: preprocessing)
    }
    let pictures = try RecipePictures(of: followed) {
      try COCO(captions: "\($0)/captions.json", pictures: "\($0)/pictures")
    }
    let run = TrainingRun(name: loaded.name, options: options, schedule: recipe.schedule)
    let learner = network.learner(
      vocabulary, recipe.makeOptimizer(), attentionWeight: recipe.attentionWeight ?? 1)
    learner.gradientNormLimit = 5
    let reports = try run.fit(
      learner, data(pictures.training), validation: data(pictures.validation)
    ) { try loaded.save(to: $0) }

    let test = pictures.test
    let captioner = try Zoo.load(Captioner.self, loaded.name, weights: options.output)
    let exact = try (0..<test.count).count { index in
      let scene = try test.picture(index)
      return try captioner.caption(scene.image).words == WordVocabulary.split(scene.captions[0])
    }
    try network.load(from: options.output)
    var result = try learner.evaluation(on: data(test))
    result.metrics["exact_captions"] = Float(exact) / Float(test.count)
    var best = try Zoo.network(loaded.name, weights: options.output)
    best.metadata.metrics = result.metrics.mapValues { (Double($0) * 1e4).rounded() / 1e4 }
    best.metadata.source = .init(framework: "aviary")
    try best.save(to: options.output)
    if let path = options.report {
      var page = TrainingReport(
        title: "\(best.name): \(vocabulary.count) words", facts: followed.facts,
        runs: [TrainingReport.Run(best.name, reports)])
      page.runs += options.beside
      try page.write(to: path)
    }
    return (reports, result)
  }
}
