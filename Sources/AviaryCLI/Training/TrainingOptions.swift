import Aviary
import Foundation

/// How a training run goes, as the command line says it.
struct TrainingOptions {
  let epochs: Int
  let batch: Int
  let seed: UInt64
  /// The portable file that gets the best epoch's weights.
  let output: String
  let patience: Int?
  /// A folder for event files.
  let tensorboard: String?
  /// An HTML file.
  let report: String?
  /// Other runs for the page.
  let beside: [TrainingReport.Run]
  /// Whether features of frozen stages are kept from epoch to epoch.
  let keepsFeatures: Bool
  /// Stages that learn from an epoch on, counted from 1.
  let unfreezing: [(epoch: Int, stages: String)]
  let isQuiet: Bool
  /// Where the run can be gone on from.
  let checkpoint: String
  /// Steps between two checkpoints; nil for as many as cost little time.
  let checkpointSteps: Int?
  let isResuming: Bool
  /// What the command line says of the course of the run, for the one that goes on with it to compare.
  let settings: [String: JSONValue]

  /// Options that do not change the course of a run.
  private static let aside: Set = [
    "json", "resume", "report", "beside", "tensorboard", "checkpoint", "checkpoint-every", "output",
    "no-feature-cache",
  ]

  static let options = [
    Option("beside", "NAME=FILE", "with --report: show another run, of which FILE has what --json printed"),
    Option(
      "checkpoint", "FILE",
      "where the run can be gone on from, by default beside the output; removed when the run ends"),
    Option("checkpoint-every", "N", "write it every N steps instead of whenever that costs little time"),
    Option("resume", nil, "go on with the run that the checkpoint is of, to the same weights bit for bit"),
    Option("patience", "N", "end early when N epochs in a row were no better than the best"),
    Option("tensorboard", "FOLDER", "write event files that TensorBoard reads"),
    Option("report", "FILE", "write a page about the run: curves, confusion matrix, best and worst pictures"),
  ]

  /// - Throws: ``UsageError`` for numbers out of range, and for files that could not be written after the run.
  init(
    _ arguments: Arguments, epochs: Int, batch: Int, seed: UInt64,
    unfreezing: [(epoch: Int, stages: String)] = []
  ) throws {
    self.epochs = try arguments.integer("epochs", default: epochs, in: 1...100_000)
    self.batch = batch
    self.seed = seed
    self.unfreezing = unfreezing
    output = try arguments.required("output")
    patience =
      arguments.has("patience") ? try arguments.integer("patience", default: 0, in: 1...100_000) : nil
    tensorboard = arguments.string("tensorboard")
    report = arguments.string("report")
    beside = try arguments.strings("beside").map(Self.run)
    guard beside.isEmpty || report != nil else { throw UsageError("--beside makes sense with --report only") }
    keepsFeatures = !arguments.has("no-feature-cache")
    isQuiet = arguments.has("json")
    checkpoint = arguments.string("checkpoint") ?? Self.checkpoint(beside: output)
    checkpointSteps =
      arguments.has("checkpoint-every")
      ? try arguments.integer("checkpoint-every", default: 1, in: 1...1_000_000) : nil
    isResuming = arguments.has("resume")
    settings = arguments.given.filter { !Self.aside.contains($0.key) }
      .mapValues { .array($0.map { .string($0) }) }
    try Output.checkWritable(output)
    if let report { try Output.checkWritable(report, as: nil) }
    try Output.checkWritable(checkpoint)
    guard isResuming || !FileManager.default.fileExists(atPath: checkpoint) else {
      throw UsageError(
        "\(checkpoint) is of a run that did not end: --resume goes on with it, and without that file a new one begins"
      )
    }
  }

  /// `scratch=scratch.json`: a name, and what `--json` printed of a run.
  private static func run(_ text: String) throws -> TrainingReport.Run {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, let data = FileManager.default.contents(atPath: parts[1]) else {
      throw UsageError("--beside takes a name and a file, such as scratch=scratch.json, not \(text)")
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let epochs = try? decoder.decode([EpochReport].self, from: data) else {
      throw UsageError("\(parts[1]) does not hold what --json prints of a run")
    }
    return TrainingReport.Run(parts[0], epochs)
  }

  /// `flowers.checkpoint.safetensors` beside `flowers.safetensors`.
  private static func checkpoint(beside output: String) -> String {
    let ending = ".safetensors"
    return (output.lowercased().hasSuffix(ending) ? String(output.dropLast(ending.count)) : output)
      + ".checkpoint" + ending
  }
}

/// The files a long run will write.
enum Output {
  /// Throws before the work begins when the file could not be written after it.
  ///
  /// - Parameter format: of weights, whose ending the file must have; nil for another file.
  static func checkWritable(_ path: String, as format: WeightFormat? = .portable) throws {
    let folder = URL(filePath: path).deletingLastPathComponent().path
    guard FileManager.default.isFolder(folder) else {
      throw UsageError("\(path) cannot be written: there is no folder \(folder)")
    }
    guard access(folder, W_OK) == 0 else {
      throw UsageError("\(path) cannot be written: \(folder) is not writable")
    }
    try format?.requireEnding(of: path)
    if FileManager.default.isFolder(path) {
      throw UsageError("\(path) cannot be written: it is a folder")
    }
  }
}
