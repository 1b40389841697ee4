import Aviary

/// Recipes of classifiers: the best epoch is that of the highest accuracy on a part of the training data; the test data are looked at once,
/// at the end.
enum ClassifierRecipe {
  static func run(_ followed: FollowedRecipe) throws -> (reports: [EpochReport], test: Evaluation) {
    let (recipe, options) = (followed.recipe, followed.options)
    var loaded = try withRandomSeed(recipe.seed) {
      try Zoo.untrained(
        followed.entry, Adaptation(classes: recipe.scenes?.generator.classNames.count, side: recipe.size))
    }
    let data = try self.data(followed, loaded)
    loaded.labels = data.training.classNames
    let (training, validation) = data.training.split(validation: recipe.validation, seed: recipe.seed)
    var run = ClassifierRun(
      loaded: loaded, optimizer: recipe.makeOptimizer(), training: training, validation: validation,
      options: options)
    run.schedule = recipe.schedule
    run.isVaried = recipe.augmentation != nil
    run.mixing = recipe.mixing
    run.configure = { learner in
      guard let smoothing = recipe.labelSmoothing else { return }
      learner.loss = { softmaxCrossEntropy($0, labels: $1, smoothing: smoothing) }
    }
    let reports = try run.fit()
    var best = try Zoo.load(followed.entry.name, weights: options.output)
    let test = try best.model.evaluation(on: data.test)
    best.metrics = ["top1": (Double(test.accuracy) * 1e6).rounded() / 1e6]
    best.source = .init(framework: "aviary")
    try best.save(to: options.output)
    if let path = options.report {
      var page = try RunReport.page(best, on: validation, reports, facts: followed.facts)
      page.runs += options.beside
      try page.write(to: path)
    }
    return (reports, test)
  }

  private static func data(
    _ followed: FollowedRecipe, _ loaded: LoadedClassifier
  ) throws -> (training: any Dataset, test: any Dataset) {
    func pictures(_ pictures: any AnnotatedPictures, _ augmentation: Augmentation?) -> any Dataset {
      AugmentedPictures<Batch>(pictures, augmentation: augmentation, preprocessing: loaded.preprocessing)
    }
    let augmentation = followed.recipe.augmentation
    guard let folder = followed.folder else {
      let scenes = followed.recipe.scenes!
      return (
        pictures(scenes.pictures(isTraining: true), augmentation),
        pictures(scenes.pictures(isTraining: false), nil)
      )
    }
    let training = try LabelledData.forTraining(folder, loaded)
    let test = try LabelledData.open(folder, isTraining: false, loaded)
    guard let augmentation else { return (training, test) }
    guard let annotated = training as? any AnnotatedPictures else {
      throw UsageError("the pictures of \(folder) cannot be varied as the recipe has it")
    }
    return (pictures(annotated, augmentation), test)
  }
}
