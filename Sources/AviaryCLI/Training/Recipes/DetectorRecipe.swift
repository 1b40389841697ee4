import Aviary

/// Recipes of networks that find objects: the best epoch is that of the lowest loss on a part of the training pictures; the test pictures are
/// looked at once, at the end, as `detect` looks at any.
enum DetectorRecipe {
  static func run(_ followed: FollowedRecipe) throws -> (reports: [EpochReport], test: Evaluation) {
    let (recipe, options) = (followed.recipe, followed.options)
    let pictures = try RecipePictures(of: followed) { try DetectorFinetuning.open($0) }
    var loaded = try withRandomSeed(recipe.seed) { try Zoo.untrainedNetwork(followed.entry) }
    guard let first = (loaded.network as? any TrainableDetector)?.firstLabel else {
      throw Recipe.Unsuitable(recipe: followed.name, reason: "\(loaded.name) does not learn")
    }
    if recipe.scenes == nil {
      loaded = try withRandomSeed(recipe.seed) {
        try loaded.relabelled(RenumberedObjects(pictures.training, from: first).classNames)
      }
    }
    guard let network = loaded.network as? any TrainableDetector,
      let preprocessing = loaded.metadata.preprocessing
    else { throw Recipe.Unsuitable(recipe: followed.name, reason: "nothing says what its pictures become") }
    let settings = loaded.processingSettings
    func data(_ pictures: any AnnotatedPictures, _ augmentation: Augmentation? = nil) throws
      -> AugmentedPictures<DetectionBatch>
    {
      try network.data(
        pictures, augmentation: augmentation, preprocessing: preprocessing, settings: settings)
    }
    func numbered(_ pictures: any AnnotatedPictures) -> RenumberedObjects {
      RenumberedObjects(pictures, from: first)
    }
    let run = TrainingRun(name: loaded.name, options: options, schedule: recipe.schedule)
    let learner = network.learner(recipe.makeOptimizer())
    let reports = try run.fit(
      learner, try data(numbered(pictures.training), recipe.augmentation),
      validation: try data(numbered(pictures.validation))
    ) { try loaded.save(to: $0) }

    let others = numbered(pictures.test)
    var test = try evaluation(
      of: try Zoo.load(Detector.self, loaded.name, weights: options.output), on: others,
      from: network.leastMeasuredScore)
    try loaded.network.load(from: options.output)
    test.loss = try learner.evaluation(on: try data(others), batchSize: 1).loss
    var best = try Zoo.network(loaded.name, weights: options.output)
    best.metadata.metrics = test.metrics.mapValues { (Double($0) * 1e4).rounded() / 1e4 }
    best.metadata.source = .init(framework: "aviary")
    try best.save(to: options.output)
    if let path = options.report {
      var page = TrainingReport(
        title: "\(best.name): objects of \(pictures.test.classNames.count) classes",
        facts: followed.facts, runs: [TrainingReport.Run(best.name, reports)])
      page.runs += options.beside
      try page.write(to: path)
    }
    return (reports, test)
  }

  /// COCO's average precision over all pictures, as shares of 1.
  private static func evaluation(
    of detector: Detector, on pictures: any AnnotatedPictures, from leastScore: Float
  ) throws -> Evaluation {
    var counted = COCOEvaluation(.boxes)
    for index in 0..<pictures.count {
      let picture = try pictures.picture(index)
      counted.add(try detector.detect(picture.image, threshold: leastScore), objects: picture.instances)
    }
    let summary = counted.summary
    return Evaluation(
      loss: 0, count: pictures.count,
      metrics: [
        "map": Float(summary.averagePrecision ?? 0), "map50": Float(summary.at50 ?? 0),
        "map75": Float(summary.at75 ?? 0),
      ])
  }
}
