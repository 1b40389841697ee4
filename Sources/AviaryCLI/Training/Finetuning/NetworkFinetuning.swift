import Aviary
import Foundation

/// What the fine-tuning of segmenters and of detectors have in common.
struct NetworkFinetuning {
  static let options = [
    Option(
      "pictures", "FOLDER", "the pictures that a COCO file, --data of a segmenter or detector, is about"),
    Option("validation-data", "FOLDER", "instead of a share of --data: other pictures, in the same form"),
    Option("validation-pictures", "FOLDER", "those that a COCO file, --validation-data, is about"),
    Option("labels", "LIST", "names of the classes of a segmenter's masks, with commas"),
    Option(
      "loss", "SUM",
      "what a segmenter learns from: cross-entropy, dice, focal, or sums such as cross-entropy+dice; by default cross-entropy"
    ),
    Option(
      "class-weights", "balanced|X,X,…",
      "what pixels of each class of a segmenter count in the cross-entropy; by default all alike"),
    Option.set,
  ]

  let name: String
  let entry: ZooEntry
  let arguments: Arguments
  let options: TrainingOptions
  /// Of the pictures, for validation, where no others are.
  let share: Float

  /// - Throws: ``UsageError`` for options that are for classifiers alone, and numbers out of range.
  init(_ name: String, _ arguments: Arguments, batch: Int, refusing others: [String]) throws {
    let refused =
      ClassifierFinetuning.options.map(\.name) + ["layer-decay", "micro-batch", "label-smoothing"]
    if let option = refused.first(where: arguments.has) {
      throw UsageError("--\(option) is for classifiers: it goes not with \(name)")
    }
    if let option = others.first(where: arguments.has) {
      throw UsageError("--\(option) goes not with \(name)")
    }
    self.name = name
    self.arguments = arguments
    entry = try Catalogue.selection(name).entry
    share = try arguments.number("validation", default: 0.2, in: 0...0.9)
    options = try TrainingOptions(
      arguments, epochs: 5, batch: try arguments.integer("batch", default: batch, in: 1...4096),
      seed: UInt64(try arguments.integer("seed", default: 0, in: 0...Int.max)),
      unfreezing: try FinetuneCommand.unfreezing(arguments.strings("unfreeze-at")))
  }

  /// The network as its weights have it, or with first values.
  func original() throws -> LoadedNetwork {
    let sets = try SetOptions(arguments, for: entry, isAdapting: false)
    try sets.requireSettings(entry)
    guard arguments.has("from-scratch") else { return try arguments.loadedNetwork(name, sets) }
    if let option = ["weights", "freeze"].first(where: arguments.has) {
      throw UsageError(
        "--from-scratch begins with first values of the whole network: it goes not with --\(option)")
    }
    return try withRandomSeed(options.seed) { try Zoo.untrainedNetwork(entry, settings: sets.settings) }
  }

  /// The network for other labels, with what was asked for frozen; says what became of it.
  func prepared(_ original: LoadedNetwork, labels: [String]) throws -> LoadedNetwork {
    let loaded = try withRandomSeed(options.seed) { try original.relabelled(labels) }
    loaded.tellChanges()
    if let text = arguments.string("freeze") { try loaded.network.freeze(parsing: text) }
    if let text = arguments.string("unfreeze") { try loaded.network.unfreeze(parsing: text) }
    if !options.isQuiet, let text = loaded.network.frozenText { Console.print(text) }
    return loaded
  }

  /// Trains and writes, or looks only, as it was asked for.
  ///
  /// - Parameters:
  ///   - validation: nil where there is none.
  ///   - facts: what a page says besides of the run.
  func run<Kind: PictureBatch>(
    _ loaded: LoadedNetwork, _ learner: ObjectiveLearner<Kind>, _ optimisation: Optimisation,
    _ training: AugmentedPictures<Kind>, validation: AugmentedPictures<Kind>?,
    facts: [(name: String, value: String)]
  ) throws {
    optimisation.configure(learner)
    if arguments.has("sanity") {
      return try TrainingLooks.checkOverfitting(learner, training, batch: options.batch, arguments)
    }
    if arguments.has("find-learning-rate") {
      return try TrainingLooks.findRate(learner, training, options, arguments)
    }
    var run = TrainingRun(name: loaded.name, options: options, schedule: optimisation.schedule)
    run.onEpochStart = { epoch in
      // Those of earlier epochs too, where a run is gone on with.
      for (first, patterns) in options.unfreezing where first <= epoch {
        try loaded.network.unfreeze(parsing: patterns)
        if first == epoch, !options.isQuiet {
          Console.print("epoch \(epoch): \(patterns) learns from here on")
        }
      }
    }
    let reports = try run.fit(learner, training, validation: validation) { try loaded.save(to: $0) }
    if let path = options.report {
      var page = TrainingReport(
        title: "\(loaded.name): \(loaded.metadata.labels?.count ?? 0) labels",
        facts: [("network", "\(name), \(loaded.network.parameterCount.grouped) parameters")] + facts + [
          ("frozen", arguments.string("freeze") ?? "nothing"), ("optimiser", optimisation.summary),
          ("batch", "\(options.batch)"), ("seed", "\(options.seed)"),
        ], runs: [TrainingReport.Run(loaded.name, reports)])
      page.runs += options.beside
      try page.write(to: path)
    }
    if options.isQuiet { return try Console.printJSON(reports) }
    Console.print(
      "\(options.output): the weights of the best epoch; 'aviary \(entry.task.command) \(name) --weights \(options.output) IMAGE' uses them"
    )
  }

  /// The pictures to learn from and, where there are some, those to choose the best epoch by: the ones given for that, else a share.
  ///
  /// - Parameter others: opens the file or folder of `--validation-data`.
  func parts(
    _ pictures: SomePictures, others: (_ data: String) throws -> SomePictures
  ) throws -> (training: SomePictures, validation: SomePictures?) {
    guard let data = arguments.string("validation-data") else {
      guard !arguments.has("validation-pictures") else {
        throw UsageError("--validation-pictures makes sense with --validation-data only")
      }
      let parts = pictures.parts(validation: share, shuffledBy: options.seed)
      return (parts.training, parts.validation.count > 0 ? parts.validation : nil)
    }
    guard !arguments.has("validation") else {
      throw UsageError("--validation is a share of --data: it goes not with --validation-data")
    }
    let validation = try others(data)
    guard validation.classNames == pictures.classNames else {
      throw UsageError(
        "\(data) has other classes than the data to learn from: \(validation.classNames.joined(separator: ", "))"
      )
    }
    return (pictures, validation)
  }
}

extension Network {
  /// Freezes names and patterns with commas between them, a classifier's stages too. Throws ``UsageError`` for what there is not.
  func freeze(parsing text: String) throws {
    if let staged = self as? any StagedModel { return try staged.freeze(parsing: text) }
    for pattern in text.split(separator: ",").map(String.init) where freeze(pattern).isEmpty {
      throw UsageError("no parameter is called like \(pattern)")
    }
  }

  /// The reverse of ``freeze(parsing:)``.
  func unfreeze(parsing text: String) throws {
    if let staged = self as? any StagedModel { return try staged.unfreeze(parsing: text) }
    for pattern in text.split(separator: ",").map(String.init) where unfreeze(pattern).isEmpty {
      throw UsageError("no parameter is called like \(pattern)")
    }
  }

  /// What of the network does not learn, in words; nil where all of it does.
  fileprivate var frozenText: String? {
    let all = parameters
    let frozen = all.filter(\.isFrozen)
    guard !frozen.isEmpty else { return nil }
    func count(_ parameters: [Parameter]) -> String {
      parameters.reduce(0) { $0 + $1.shape.elementCount }.grouped
    }
    return
      "frozen: \(frozen.count) of \(all.count) tensors, \(count(frozen)) of \(count(all)) parameters; batch normalizations among them keep their statistics"
  }
}
