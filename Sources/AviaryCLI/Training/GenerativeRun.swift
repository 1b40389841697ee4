import Aviary

/// `aviary train` for networks that make pictures: learns from all pictures of some data, whatever their classes.
struct GenerativeRun {
  private let recipe: Recipe
  private let objective: GenerationObjective
  private let options: TrainingOptions

  private struct Result: Encodable {
    let epochs: [EpochReport]
    let test: Evaluation
  }

  init(_ recipe: Recipe, _ objective: GenerationObjective, _ options: TrainingOptions) {
    self.recipe = recipe
    self.objective = objective
    self.options = options
  }

  func run(named name: String, _ folder: String) throws {
    let entry = try Catalogue.entry(recipe.model)
    let (loaded, learner) = try withRandomSeed(recipe.seed) {
      let loaded = try Zoo.untrainedNetwork(entry, settings: recipe.settings ?? [:])
      return (
        loaded,
        try objective.learner(for: loaded, rate: recipe.learningRate, weightDecay: recipe.weightDecay)
      )
    }
    let shape = try objective.pictureShape(of: loaded)
    let training = try FramedPictures(folder, isTraining: true, shape)
    let (data, validation) = training.split(validation: recipe.validation, seed: recipe.seed)
    let reports = try fit(learner, loaded, data, validation)

    let test = try judged(learner, try FramedPictures(folder, isTraining: false, shape))
    let metrics = test.metrics.merging(["loss": test.loss]) { $1 }.mapValues {
      (Double($0) * 1e4).rounded() / 1e4
    }
    try Zoo.network(entry.name, weights: options.output).trained(metrics: metrics).save(to: options.output)
    if options.isQuiet { return try Console.printJSON(Result(epochs: reports, test: test)) }
    Console.print("\(options.output): test \(Self.numbers(test)) on \(test.count) pictures")
  }

  /// With the weights that are saved.
  private func judged(_ learner: some Learner<Batch>, _ test: FramedPictures) throws -> Evaluation {
    try learner.withWeightsForUse { try learner.evaluation(on: test, batchSize: options.batch) }
  }

  private func fit<Student: Learner>(
    _ learner: Student, _ loaded: LoadedNetwork, _ training: Subset, _ validation: Subset
  ) throws -> [EpochReport] where Student.Batch == Batch {
    let trainer = Trainer(learner)
    trainer.schedule = recipe.schedule
    trainer.patience = options.patience
    let bar = ProgressBar()
    trainer.onProgress = { progress in
      bar.update(
        "epoch \(progress.epoch)/\(progress.epochs)",
        done: (progress.epoch - 1) * progress.total + progress.seen,
        total: progress.epochs * progress.total, note: "loss \(Self.text(progress.loss))")
    }
    let events = try options.tensorboard.map { try EventFile(in: $0) }
    trainer.onStep = { step in
      let metrics = step.evaluation.metrics.map { ("training/\($0.key)", $0.value) }
      try events?.write(
        [("training/loss", step.evaluation.loss), ("learning_rate", step.learningRate)] + metrics,
        step: step.step)
    }
    trainer.onEpoch = { report, isBest in
      if isBest { try loaded.save(to: options.output) }
      bar.finish()
      guard !options.isQuiet else { return }
      let judged = report.validation.map { "  validation \(Self.numbers($0))" } ?? ""
      let seconds = String(Int(report.seconds.rounded()))
      Console.print(
        "epoch \(report.epoch)  \(Self.numbers(report.training))\(judged)  \(seconds) s"
          + (isBest ? "  (best, saved)" : ""))
      for complaint in (learner as? AdversarialLearner)?.complaints ?? [] { Console.printError(complaint) }
    }
    let keeper = CheckpointKeeper(options, loaded.name)
    let state = try keeper.restore(learner)
    trainer.onState = { state in try keeper.keep(learner, state) }
    let reports = try trainer.fit(
      training, validation: validation.count > 0 ? validation : nil, epochs: options.epochs,
      batchSize: options.batch, seed: options.seed, resuming: state)
    bar.finish()
    try keeper.finish()
    return reports
  }

  /// `loss 0.0312, diversity 0.981`
  private static func numbers(_ evaluation: Evaluation) -> String {
    let metrics = evaluation.metrics.sorted { $0.key < $1.key }.map { ", \($0.key) \(text($0.value))" }
    return "loss \(text(evaluation.loss))" + metrics.joined()
  }

  private static func text(_ number: Float) -> String { "\((number * 1e4).rounded() / 1e4)" }
}

/// Pictures of a data set in the size that a network makes, with black around them where they are smaller.
struct FramedPictures: Dataset {
  private let base: any Dataset
  private let shape: Shape

  /// MNIST's files where the folder has them, else pictures of a folder, in a folder for each class.
  ///
  /// - Throws: ``UsageError`` for pictures that are larger than those of the network.
  init(_ folder: String, isTraining: Bool, _ shape: Shape) throws {
    self.shape = shape
    let (channels, height, width) = (shape[0], shape[1], shape[2])
    if LabelledData.isMNIST(folder) {
      base = try MNIST(folder: folder, isTraining: isTraining)
      guard channels == 1, height >= 28, width >= 28 else {
        throw UsageError(
          "\(folder) has grey pictures of 28×28, but the network makes \(shape.map(String.init).joined(separator: "×"))"
        )
      }
      return
    }
    guard [1, 3].contains(channels) else {
      throw UsageError("the network makes pictures of \(channels) channels, but files have 1 or 3")
    }
    let preprocessing = Preprocessing(
      resize: .exact(width: width, height: height), channels: channels == 1 ? .grey : .rgb)
    base = try FolderDataset(folder, minimumClasses: 1) { path in
      preprocessing(try Image(contentsOf: path)).squeezed(0)
    }
  }

  var count: Int { base.count }
  var classNames: [String] { base.classNames }
  func label(_ index: Int) -> Int { base.label(index) }

  func input(_ index: Int) throws -> Tensor {
    let input = try base.input(index)
    let (height, width) = (shape[1] - input.shape[1], shape[2] - input.shape[2])
    guard height > 0 || width > 0 else { return input }
    let padding = Padding(
      before: [height / 2, width / 2], after: [height - height / 2, width - width / 2])
    return input.expandedAxis(at: 0).padded(spatially: padding).squeezed(0)
  }
}
