import Aviary

/// Recipes of networks that find objects: the best epoch is that of the lowest loss on a part of the training pictures; the test pictures are
/// looked at once, at the end, as `detect` looks at any.
enum DetectorRecipe {
  static func run(_ followed: FollowedRecipe) throws -> (reports: [EpochReport], test: Evaluation) {
    let (recipe, options) = (followed.recipe, followed.options)
    guard let scenes = recipe.scenes else {
      throw UsageError(
        "the recipe \(followed.name) draws no pictures, and data with boxes are not read yet")
    }
    let loaded = try withRandomSeed(recipe.seed) { try Zoo.untrainedNetwork(followed.entry) }
    guard let network = loaded.network as? any TrainableDetector else {
      throw Recipe.Unsuitable(recipe: followed.name, reason: "\(loaded.name) does not learn")
    }
    let preprocessing = try loaded.preprocessing()
    func data(_ pictures: any AnnotatedPictures, _ augmentation: Augmentation? = nil)
      -> AugmentedPictures<DetectionBatch>
    {
      AugmentedPictures(pictures, augmentation: augmentation, preprocessing: preprocessing)
    }
    let (pictures, others) = (
      RenumberedObjects(scenes.pictures(isTraining: true), from: network.firstLabel),
      RenumberedObjects(scenes.pictures(isTraining: false), from: network.firstLabel)
    )
    // Drawn independently of each other: any part is as good as another.
    let learned = pictures.count - Int(Float(pictures.count) * recipe.validation)
    let run = TrainingRun(name: loaded.name, options: options, schedule: recipe.schedule)
    let learner = network.learner(recipe.makeOptimizer())
    let reports = try run.fit(
      learner, data(SomePictures(pictures, Array(0..<learned)), recipe.augmentation),
      validation: data(SomePictures(pictures, Array(learned..<pictures.count)))
    ) { try loaded.save(to: $0) }

    var test = try evaluation(
      of: try Zoo.load(Detector.self, loaded.name, weights: options.output), on: others)
    try loaded.network.load(from: options.output)
    test.loss = try learner.evaluation(on: data(others), batchSize: 1).loss
    var best = try Zoo.network(loaded.name, weights: options.output)
    best.metadata.metrics = test.metrics.mapValues { (Double($0) * 1e4).rounded() / 1e4 }
    best.metadata.source = .init(framework: "aviary")
    try best.save(to: options.output)
    if let path = options.report {
      var page = TrainingReport(
        title: "\(best.name): objects of \(scenes.generator.classNames.count) classes",
        facts: followed.facts, runs: [TrainingReport.Run(best.name, reports)])
      page.runs += options.beside
      try page.write(to: path)
    }
    return (reports, test)
  }

  /// What ultralytics measures with: boxes of nearly any score count, the surest first.
  private static let leastScore: Float = 0.001

  /// COCO's average precision over all pictures, as shares of 1.
  private static func evaluation(
    of detector: Detector, on pictures: any AnnotatedPictures
  ) throws -> Evaluation {
    var metrics = DetectionMetrics()
    for index in 0..<pictures.count {
      let picture = try pictures.picture(index)
      metrics.add(
        try detector.detect(picture.image, threshold: leastScore), truth: picture.instances.map(\.object))
    }
    let scores = metrics.scores
    return Evaluation(
      loss: 0, count: pictures.count,
      metrics: [
        "map": Float(scores?.averagePrecision ?? 0), "map50": Float(scores?.at50 ?? 0),
        "map75": Float(scores?.at75 ?? 0),
      ])
  }
}
