import Aviary
import Foundation

enum FinetuneCommand: Command {
  static let name = "finetune"
  static let summary =
    "Trains a new head, and the stages that are not frozen, on a folder with one sub-folder per class."
  static let operands = "MODEL"
  static let options = [
    Option.weights, Option.classes, Option.channels, Option.size,
    Option("data", "FOLDER", "one sub-folder of pictures per class"),
    Option(
      "freeze", "STAGES", "stages that stay as they are: block1...block3, or names and patterns with commas"),
    Option("branch", "STAGE", "the last stage to keep, by default the one before the classifier"),
    Option(
      "head", "WIDTHS",
      "the new head's linear layers, such as 256,5; by default one as wide as there are classes"),
    Option(
      "flatten", nil,
      "let the head read all values of the last stage instead of each channel's mean: many weights, one size of picture"
    ),
    Option("epochs", "N", "by default 5"), Option("batch", "N", "pictures per step, by default 16"),
    Option("learning-rate", "X", "of Adam, by default 0.0001"),
    Option("validation", "SHARE", "of the pictures, by default 0.2"), Option("seed", "N", "by default 0"),
    Option("output", "FILE", "the portable file to write: the best epoch's weights"), Option.json,
  ]
  static let example =
    "aviary finetune vgg19 --weights vgg19.h5 --data flowers --freeze block1...block3 --head 256,5 --output flowers.safetensors"

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let (folder, output) = (try arguments.required("data"), try arguments.required("output"))
    let epochs = try arguments.integer("epochs", default: 5, in: 1...100_000)
    let batch = try arguments.integer("batch", default: 16, in: 1...4096)
    let rate = try arguments.number("learning-rate", default: 1e-4, in: 0...10)
    let share = try arguments.number("validation", default: 0.2, in: 0...0.9)
    let seed = UInt64(try arguments.integer("seed", default: 0, in: 0...Int.max))
    try Output.checkWritable(output)

    let (loaded, data) = try withRandomSeed(seed) { try prepared(name, folder, arguments) }
    loaded.tellChanges()
    if !arguments.has("json") { Console.print(LabelledData.summary(data)) }
    if let stages = arguments.string("freeze") { try loaded.model.freeze(parsing: stages) }

    let (training, validation) = data.split(validation: share, seed: seed)
    let reports = try TrainingRun.fit(
      loaded, Adam(learningRate: rate), training, validation.count > 0 ? validation : nil, epochs: epochs,
      batch: batch, seed: seed, output: output, isQuiet: arguments.has("json"))
    if arguments.has("json") { return try Console.printJSON(reports) }
    Console.print(
      "\(output): the weights of the best epoch; 'aviary predict \(name) --weights \(output) IMAGE' uses them"
    )
  }

  /// The network with a head for the folder's classes: its own form with `--classes`, else linear layers behind a stage.
  private static func prepared(
    _ name: String, _ folder: String, _ arguments: Arguments
  ) throws -> (LoadedModel, any Dataset) {
    guard let classes = try arguments.adaptation.classes else {
      let branch = arguments.string("branch")
      let pretrained = try arguments.model(name, branch.map { .through($0) } ?? .features)
      let data = try LabelledData.forTraining(folder, pretrained)
      let widths = try head(arguments.string("head"), classes: data.classNames.count, folder: folder)
      return (
        try pretrained.withHead(
          widths, branch: branch, junction: arguments.has("flatten") ? .flatten : .average,
          labels: data.classNames), data
      )
    }
    guard !arguments.has("head"), !arguments.has("branch"), !arguments.has("flatten") else {
      throw UsageError(
        "--classes keeps the model's own form of head: it goes with none of --head, --branch and --flatten")
    }
    var loaded = try arguments.model(name)
    let data = try LabelledData.forTraining(folder, loaded)
    guard data.classNames.count == classes else {
      throw UsageError("--classes is \(classes), but \(folder) has \(data.classNames.count)")
    }
    loaded.labels = data.classNames
    return (loaded, data)
  }

  private static func head(_ text: String?, classes: Int, folder: String) throws -> [Int] {
    guard let text else { return [classes] }
    let widths = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard widths.allSatisfy({ 1...1_000_000 ~= $0 }), widths.last == classes else {
      throw UsageError(
        "--head takes widths of which the last is the number of classes, \(classes) in \(folder), not \(text)"
      )
    }
    return widths
  }
}

/// The file a long run will write.
enum Output {
  /// Throws before the work begins when the file could not be written after it.
  ///
  /// - Parameter format: of weights, whose ending the file must have; nil for another file.
  static func checkWritable(_ path: String, as format: WeightFormat? = .portable) throws {
    let folder = URL(filePath: path).deletingLastPathComponent().path
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw UsageError("\(path) cannot be written: there is no folder \(folder)")
    }
    guard access(folder, W_OK) == 0 else {
      throw UsageError("\(path) cannot be written: \(folder) is not writable")
    }
    try format?.requireEnding(of: path)
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw UsageError("\(path) cannot be written: it is a folder")
    }
  }
}

/// Training as the program shows it.
enum TrainingRun {
  /// Trains, reports every epoch, and keeps the best epoch's weights in `output`.
  static func fit(
    _ loaded: LoadedModel, _ optimizer: any Optimizer, _ training: some Dataset,
    _ validation: (any TrainingData<Batch>)?,
    epochs: Int, batch: Int, seed: UInt64, output: String, isQuiet: Bool,
    configure: (Trainer<ClassifierLearner>) -> Void = { _ in }
  ) throws -> [EpochReport] {
    let trainer = Trainer(loaded.model, optimizer)
    trainer.learner.useAuxiliaryClassifiers()
    let bar = ProgressBar()
    trainer.onProgress = { progress in
      bar.update(
        "epoch \(progress.epoch)/\(progress.epochs)",
        done: (progress.epoch - 1) * progress.total + progress.seen,
        total: progress.epochs * progress.total, note: String(format: "loss %.4f", progress.loss))
    }
    trainer.onEpoch = { report, isBest in
      if isBest { try loaded.save(to: output) }
      bar.finish()
      if isQuiet { return }
      var line = String(
        format: "epoch %d  loss %.4f  accuracy %.4f", report.epoch, report.training.loss,
        report.training.accuracy)
      if let validation = report.validation {
        line += String(format: "  validation loss %.4f  accuracy %.4f", validation.loss, validation.accuracy)
      }
      Console.print(line + String(format: "  %.1f s", report.seconds) + (isBest ? "  (best, saved)" : ""))
    }
    configure(trainer)
    return try trainer.fit(training, validation: validation, epochs: epochs, batchSize: batch, seed: seed)
  }
}
