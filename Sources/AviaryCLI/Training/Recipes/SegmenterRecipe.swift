import Aviary

/// Recipes of networks for pixels: the best epoch is that of the highest mean IoU on a part of the training pictures; the test pictures are
/// looked at once, at the end.
enum SegmenterRecipe {
  static func run(_ followed: FollowedRecipe) throws -> (reports: [EpochReport], test: Evaluation) {
    let (recipe, options) = (followed.recipe, followed.options)
    var loaded = try withRandomSeed(recipe.seed) { try Zoo.untrainedNetwork(followed.entry) }
    let known = loaded.metadata.labels ?? []
    let pictures = try RecipePictures(of: followed) {
      try SegmenterFinetuning.open($0, pictures: nil, classes: (nil, nil), known: known).pictures
    }
    if recipe.scenes == nil {
      loaded = try withRandomSeed(recipe.seed) { try loaded.relabelled(pictures.training.classNames) }
    }
    let (preprocessing, sizeMultiple) = try loaded.pixelInput()
    func data(_ pictures: any AnnotatedPictures, _ augmentation: Augmentation? = nil)
      -> AugmentedPictures<SegmentationBatch>
    {
      var data = AugmentedPictures<SegmentationBatch>(
        pictures, augmentation: augmentation, preprocessing: preprocessing)
      data.sizeMultiple = sizeMultiple
      return data
    }
    let run = TrainingRun(name: loaded.name, options: options, schedule: recipe.schedule)
    let loss = recipe.pixelLoss ?? PixelLoss(for: loaded.network)
    let learner = loss.learner(of: loaded.network, recipe.makeOptimizer())
    let reports = try run.fit(
      learner, data(pictures.training, recipe.augmentation), validation: data(pictures.validation)
    ) { try loaded.save(to: $0) }

    var best = try Zoo.network(loaded.name, weights: options.output)
    let test = try evaluation(of: best.network, by: loss, on: data(pictures.test))
    best.metadata.metrics = test.metrics.mapValues { (Double($0) * 1e4).rounded() / 1e4 }
    best.metadata.source = .init(framework: "aviary")
    try best.save(to: options.output)
    if let path = options.report {
      var page = TrainingReport(
        title: "\(best.name): \(best.metadata.labels?.count ?? 0) classes of pixels",
        facts: followed.facts,
        runs: [TrainingReport.Run(best.name, reports)])
      page.runs += options.beside
      try page.write(to: path)
    }
    return (reports, test)
  }

  /// Over all pixels of the pictures together, not batch by batch.
  private static func evaluation(
    of network: any Network, by loss: PixelLoss, on data: AugmentedPictures<SegmentationBatch>
  ) throws -> Evaluation {
    network.evaluate()
    let (input, output) = (network.signature.inputs[0].name, network.signature.outputs[0].name)
    var metrics: SegmentationMetrics?
    var sum: Float = 0
    for index in 0..<data.count {
      let batch = try data.batch([index])
      let logits = network([input: batch.inputs])[output]
      sum += loss(logits, labels: batch.labels).item()
      if metrics == nil { metrics = SegmentationMetrics(classCount: max(logits.shape[1], 2)) }
      try metrics?.add(logits: logits, of: batch)
    }
    return Evaluation(
      loss: sum / Float(data.count), count: data.count,
      metrics: [
        "mean_iou": Float(metrics?.meanIoU ?? 0), "mean_dice": Float(metrics?.meanDice ?? 0),
        "pixel_accuracy": Float(metrics?.pixelAccuracy ?? 0),
      ])
  }
}
