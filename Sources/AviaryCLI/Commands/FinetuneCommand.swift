import Aviary
import Foundation

enum FinetuneCommand: Command {
  static let name = "finetune"
  static let summary =
    "Trains a new head, and the stages that are not frozen, on a folder with one sub-folder per class."
  static let operands = "MODEL"
  static let options =
    [
      Option.weights, Option.classes, Option.channels, Option.size,
      Option("data", "FOLDER", "one sub-folder of pictures per class"),
      Option(
        "freeze", "STAGES", "stages that stay as they are: block1...block3, or names and patterns with commas"
      ),
      Option("branch", "STAGE", "the last stage to keep, by default the one before the classifier"),
      Option(
        "head", "WIDTHS",
        "the new head's linear layers, such as 256,5; by default one as wide as there are classes"),
      Option(
        "flatten", nil,
        "let the head read all values of the last stage instead of each channel's mean: many weights, one size of picture"
      ),
      Option("epochs", "N", "by default 5"), Option("batch", "N", "pictures per step, by default 16"),
      Option("validation", "SHARE", "of the pictures, by default 0.2"), Option("seed", "N", "by default 0"),
      Option("output", "FILE", "the portable file to write: the best epoch's weights"),
      Option(
        "from-scratch", nil, "begin with first values instead of weights: what fine-tuning is compared with"),
      Option("unfreeze", "STAGES", "stages that learn although --freeze covers them"),
      Option("unfreeze-at", "EPOCH=STAGES", "stages that learn from an epoch on; may be given several times"),
      Option(
        "augment", "flip|crop|randaugment",
        "vary the pictures: mirrored; also cut and resized at random; also changed by RandAugment"),
      Option(
        "mix", "mixup|cutmix",
        "mix the pictures of a batch, classes too: weighted means of two, or a rectangle of the one in the other"
      ),
      Option("balance", nil, "draw examples so that each class comes equally often"),
      Option("no-feature-cache", nil, "compute what frozen stages return in each epoch anew"),
      Option(
        "sanity", nil, "check only: is the first loss that of guessing, can one small batch be learned?"),
      Option(
        "find-learning-rate", nil, "only try growing learning rates and say where the loss falls fastest"),
    ] + Optimisation.options + TrainingOptions.options + [Option.json]
  static let example =
    "aviary finetune vgg19 --weights vgg19.h5 --data flowers --freeze block1...block3 --head 256,5 --output flowers.safetensors"

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let folder = try arguments.required("data")
    let share = try arguments.number("validation", default: 0.2, in: 0...0.9)
    let seed = UInt64(try arguments.integer("seed", default: 0, in: 0...Int.max))
    let options = try TrainingOptions(
      arguments, epochs: 5, batch: try arguments.integer("batch", default: 16, in: 1...4096), seed: seed,
      unfreezing: try unfreezing(arguments.strings("unfreeze-at")))

    let (loaded, data) = try withRandomSeed(seed) { try FinetunedNetwork.prepared(name, folder, arguments) }
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
      return try TrainingLooks.findRate(loaded, training, options, optimisation, arguments)
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

  /// `3=block4...block5`: what learns from an epoch on.
  private static func unfreezing(_ texts: [String]) throws -> [(epoch: Int, stages: String)] {
    try texts.map { text in
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, let epoch = Int(parts[0]), epoch > 1 else {
        throw UsageError(
          "--unfreeze-at takes an epoch from 2 and stages, such as 3=block4...block5, not \(text)")
      }
      return (epoch, parts[1])
    }
  }

  /// The pictures of a folder as `--augment` varies them in training; nil when it was not given.
  private static func varied(
    _ data: any Dataset, _ loaded: LoadedModel, _ arguments: Arguments
  ) throws -> (any Dataset)? {
    guard let kind = arguments.string("augment") else { return nil }
    guard let folder = data as? FolderDataset else {
      throw UsageError("--augment varies the pictures of a folder, and --data names none")
    }
    let flip = Augmentation.horizontalFlip(probability: 0.5)
    let side = max(loaded.inputShape[1], loaded.inputShape[2])
    let crop = Augmentation.resizedCrop(RandomResizedCrop(width: side, height: side))
    let augmentation: Augmentation
    switch kind {
    case "flip": augmentation = flip
    case "crop": augmentation = .sequence([crop, flip])
    case "randaugment": augmentation = .sequence([crop, flip, .randAugment(RandAugment())])
    default: throw UsageError("--augment takes flip, crop or randaugment, not \(kind)")
    }
    return AugmentedPictures<Batch>(
      folder, augmentation: augmentation, preprocessing: loaded.preprocessing)
  }
}
