import Aviary

/// `aviary finetune` for classifiers: a new head, and the stages that are not frozen, on a folder with one sub-folder per class.
enum ClassifierFinetuning {
  static let options = [
    Option("branch", "STAGE", "the last stage of a classifier to keep, by default the one before its head"),
    Option(
      "head", "WIDTHS",
      "the linear layers of a classifier's new head, such as 256,5; by default one as wide as there are classes"
    ),
    Option(
      "flatten", nil,
      "let the head read all values of the last stage instead of each channel's mean: many weights, one size of picture"
    ),
    Option(
      "mix", "mixup|cutmix",
      "mix the pictures of a classifier's batch, classes too: weighted means of two, or a rectangle of the one in the other"
    ),
    Option("balance", nil, "draw a classifier's examples so that each class comes equally often"),
    Option("no-feature-cache", nil, "compute what frozen stages of a classifier return in each epoch anew"),
  ]

  static func run(_ name: String, _ arguments: Arguments) throws {
    let folder = try arguments.required("data")
    if let option = NetworkFinetuning.options.map(\.name).first(where: arguments.has) {
      throw UsageError("--\(option) is for segmenters and detectors: \(name) is a classifier")
    }
    let share = try arguments.number("validation", default: 0.2, in: 0...0.9)
    let seed = UInt64(try arguments.integer("seed", default: 0, in: 0...Int.max))
    let options = try TrainingOptions(
      arguments, epochs: 5, batch: try arguments.integer("batch", default: 16, in: 1...4096), seed: seed,
      unfreezing: try FinetuneCommand.unfreezing(arguments.strings("unfreeze-at")))

    let (loaded, data) = try withRandomSeed(seed) {
      try FinetunedClassifier.prepared(name, folder, arguments)
    }
    loaded.tellChanges()
    if !options.isQuiet { Console.print(LabelledData.summary(data)) }
    if let stages = arguments.string("freeze") { try loaded.model.freeze(parsing: stages) }
    if let stages = arguments.string("unfreeze") { try loaded.model.unfreeze(parsing: stages) }

    let optimisation = try Optimisation(arguments, for: loaded.model)
    let varied = try varied(data, loaded, arguments)
    let (training, validation) = (varied ?? data).split(validation: share, seed: seed)
    let balance = ClassBalance(training)
    if !options.isQuiet, balance.imbalance > 1.5 {
      Console.print("\(balance)\(arguments.has("balance") ? "" : "; --balance draws them equally often")")
    }
    if arguments.has("sanity") {
      return try TrainingLooks.checkSanity(loaded, training, optimisation, arguments)
    }
    if arguments.has("find-learning-rate") {
      return try TrainingLooks.findRate(
        ClassifierLearner(loaded.model, optimisation.optimizer), training, options, arguments)
    }
    var run = ClassifierRun(
      loaded: loaded, optimizer: optimisation.optimizer, training: training,
      validation: validation.count > 0 ? validation : nil, options: options)
    run.schedule = optimisation.schedule
    run.configure = optimisation.configure
    run.isVaried = varied != nil
    run.mixing = try mixing(arguments)
    if arguments.has("balance") { run.order = .balanced(training) }
    let reports = try run.fit()
    if let path = options.report {
      let facts = [
        ("network", "\(name), \(loaded.model.parameterCount.grouped) parameters"),
        ("pictures", LabelledData.summary(data)),
        ("frozen", arguments.string("freeze") ?? "nothing"), ("optimiser", optimisation.summary),
        ("batch", "\(options.batch)"), ("seed", "\(seed)"),
      ]
      let best = try Zoo.load(name, weights: options.output)
      var page = try RunReport.page(
        best, on: validation.count > 0 ? validation : training, reports, facts: facts)
      page.runs += options.beside
      try page.write(to: path)
    }
    if options.isQuiet { return try Console.printJSON(reports) }
    Console.print(
      "\(options.output): the weights of the best epoch; 'aviary predict \(name) --weights \(options.output) IMAGE' uses them"
    )
  }

  private static func mixing(_ arguments: Arguments) throws -> BatchMixing? {
    switch arguments.string("mix") {
    case nil: nil
    case "mixup": .mixup(alpha: 0.2)
    case "cutmix": .cutmix(alpha: 1)
    case let other?: throw UsageError("--mix takes mixup or cutmix, not \(other)")
    }
  }

  /// The pictures of a folder as `--augment` varies them in training; nil when it was not given.
  private static func varied(
    _ data: any Dataset, _ loaded: LoadedClassifier, _ arguments: Arguments
  ) throws -> (any Dataset)? {
    let side = max(loaded.inputShape[1], loaded.inputShape[2])
    let crop = RandomResizedCrop(width: side, height: side)
    guard let augmentation = try FinetuneCommand.augmentation(arguments, crop: crop) else { return nil }
    guard let folder = data as? FolderDataset else {
      throw UsageError("--augment varies the pictures of a folder, and --data names none")
    }
    return AugmentedPictures<Batch>(
      folder, augmentation: augmentation, preprocessing: loaded.preprocessing)
  }
}
