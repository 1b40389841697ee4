import Aviary
import Foundation

/// `aviary finetune` of language models: a text in the tokens that the weights know, of which a part at the end chooses the best epoch.
enum LanguageFinetuning {
  static let options = [
    Option("length", "N", "tokens of a piece of text that a language model learns from, by default 64"),
    Option.vocabulary,
  ]

  /// What is for pictures, or for networks that get other labels.
  private static let refused =
    ClassifierFinetuning.options.map(\.name) + NetworkFinetuning.options.map(\.name).filter { $0 != "set" }
    + ["classes", "channels", "size", "augment", "layer-decay", "micro-batch", "label-smoothing", "sanity"]
    + ["find-learning-rate"]

  static func run(_ name: String, _ arguments: Arguments) throws {
    if let option = refused.first(where: arguments.has) {
      throw UsageError("--\(option) goes not with \(name), a language model")
    }
    let options = try TrainingOptions(
      arguments, epochs: 5, batch: try arguments.integer("batch", default: 16, in: 1...4096),
      seed: UInt64(try arguments.integer("seed", default: 0, in: 0...Int.max)),
      unfreezing: try FinetuneCommand.unfreezing(arguments.strings("unfreeze-at")))
    let share = try arguments.number("validation", default: 0.1, in: 0...0.9)
    let length = try arguments.integer("length", default: 64, in: 1...65_536)
    let path = try arguments.required("data")
    let text = try TextFile.text(contentsOf: path)
    let loaded = try network(name, arguments, seed: options.seed)
    try loaded.check([
      loaded.network.signature.inputs[0].name: Tensor(repeating: Int64(0), shape: [options.batch, length])
    ])
    nonisolated(unsafe) let network = loaded
    let tokenizer = try LanguageModel(network, execution: .eager()).tokenizer
    let tokens = try tokenizer.encode(text)
    if let frozen = arguments.string("freeze") { try loaded.network.freeze(parsing: frozen) }
    if let learning = arguments.string("unfreeze") { try loaded.network.unfreeze(parsing: learning) }

    let optimisation = try Optimisation(arguments, for: loaded.network)
    let learner = LanguageLearner(loaded.network, optimisation.optimizer)
    // Through many steps gradients grow as they fade: they are cut unless something else is asked for.
    learner.gradientNormLimit = optimisation.gradientNormLimit ?? (learner.hasState ? 5 : 1)
    if let decay = optimisation.averageDecay {
      learner.average = ExponentialMovingAverage(of: loaded.network, decay: decay, warmup: .ratio)
    }
    let held = Int(Float(tokens.count) * share)
    let (training, leftOver) = try TextPieces.data(
      Array(tokens.dropLast(held)), for: learner, length: length, batch: options.batch)
    let judged: (any TrainingData<TextBatch>, Int)? =
      try held == 0
      ? nil
      : TextPieces.data(
        Array(tokens.suffix(held)), for: learner, length: length, batch: options.batch)
    if !options.isQuiet {
      Console.print(
        "\(tokens.count - held) \(tokenizer.unit) to learn from, of which \(leftOver) at the end fill no batch; "
          + (held == 0
            ? "none to choose the best epoch by: that of the lowest loss in training is kept"
            : "\(held) at the end to choose the best epoch by"))
    }
    var run = TrainingRun(name: loaded.name, options: options, schedule: optimisation.schedule)
    if learner.hasState { run.order = .sequential }
    run.onEpochStart = { epoch in
      for (first, patterns) in options.unfreezing where first <= epoch {
        try loaded.network.unfreeze(parsing: patterns)
      }
    }
    let reports = try run.fit(learner, training, validation: judged?.0) { try loaded.save(to: $0) }
    if let page = options.report {
      var report = TrainingReport(
        title: "\(loaded.name): \(tokens.count) \(tokenizer.unit)",
        facts: [
          ("network", "\(name), \(loaded.network.parameterCount.grouped) parameters"), ("text", path),
          ("length", "\(length)"), ("frozen", arguments.string("freeze") ?? "nothing"),
          ("optimiser", optimisation.summary), ("batch", "\(options.batch)"), ("seed", "\(options.seed)"),
        ], runs: [TrainingReport.Run(loaded.name, reports)])
      report.runs += options.beside
      try report.write(to: page)
    }
    if options.isQuiet { return try Console.printJSON(reports) }
    Console.print(
      "\(options.output): the weights of the best epoch; 'aviary write \(name) --weights \(options.output) --prompt TEXT' uses them"
    )
  }

  /// The network as its weights have it, or with first values, and with its vocabulary.
  private static func network(_ name: String, _ arguments: Arguments, seed: UInt64) throws -> LoadedNetwork {
    let entry = try Catalogue.selection(name).entry
    let sets = try SetOptions(arguments, for: entry, isAdapting: false)
    try sets.requireSettings(entry)
    var loaded: LoadedNetwork
    if arguments.has("from-scratch") {
      if let option = ["weights", "freeze"].first(where: arguments.has) {
        throw UsageError(
          "--from-scratch begins with first values of the whole network: it goes not with --\(option)")
      }
      loaded = try withRandomSeed(seed) { try Zoo.untrainedNetwork(entry, settings: sets.settings) }
    } else {
      loaded = try arguments.loadedNetwork(name, sets)
    }
    if let file = arguments.string("vocabulary") {
      loaded = loaded.bound(to: try loaded.tokenizer(contentsOf: file))
    }
    loaded.tellChangesAndAssumptions()
    return loaded
  }
}
