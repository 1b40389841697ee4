import Aviary
import Foundation

enum InspectCommand: Command {
  static let name = "inspect"
  static let summary =
    "Shows what a file of weights holds: format, tensors, metadata, and the model it fits. Executes nothing."
  static let operands = "FILE"
  static let options = [Option.json]
  static let example = "aviary inspect resnet50_weights.h5"

  private struct Report: Encodable {
    let file: WeightFile.Description
    let model: String?
    let dialect: String?
    /// Dialects whose weights look the same.
    let alike: [String]?
    /// The map between the file's names and ours.
    let nameMap: String?
    let classes: Int?
    /// What the tensors show of a network that is no classifier, where the catalogue's differs.
    let settings: Settings?
    /// The last stage of a file without a classifier.
    let lastStage: String?
    /// Tensors of a file that fits, which belong to no part of the model: another head, a loss.
    let unexpected: [String]?
    let nearest: Nearest?
    /// Of a checkpoint of a training run.
    let training: Training?

    init(_ file: WeightFile.Description, _ found: Identification?, _ checkpoint: TrainingCheckpoint?) {
      training = checkpoint.map { Training(model: $0.model, state: $0.state, settings: $0.settings) }
      let fitting = found.flatMap { $0.fits ? $0 : nil }
      self.file = file
      model = fitting?.entry.name
      dialect = fitting?.dialect.name
      alike = fitting?.alike
      nameMap = fitting?.nameMap
      classes = if case .whole(let classes) = fitting?.extent, classes > 0 { classes } else { nil }
      settings = fitting.flatMap { $0.settings.isEmpty ? nil : $0.settings }
      lastStage = if case .features(let stage) = fitting?.extent { stage } else { nil }
      unexpected = fitting.map(\.report.unexpected)
      nearest = fitting == nil ? found.map(Nearest.init) : nil
    }
  }

  private struct Training: Encodable {
    let model: String?
    let state: TrainingState
    let settings: [String: JSONValue]
  }

  private static func text(_ checkpoint: TrainingCheckpoint) -> String {
    let (state, plan) = (checkpoint.state, checkpoint.state.plan)
    let best = state.best.map { place in
      let report = state.reports[place]
      return String(
        format: "\nbest so far: epoch %d, loss %.4f, accuracy %.4f", report.epoch,
        (report.validation ?? report.training).loss, (report.validation ?? report.training).accuracy)
    }
    let settings = checkpoint.settings.sorted { $0.key < $1.key }.map { " --\($0.key) \($0.value.shortText)" }
    return """
      checkpoint of a training run\(checkpoint.model.map { " of \($0)" } ?? ""): \
      epoch \(min(state.epoch, plan.epochs)) of \(plan.epochs), \(state.stepsTaken) of \(plan.steps * plan.epochs) steps taken, \
      batches of \(plan.batchSize), seed \(plan.seed)\(best ?? "")
      started with\(settings.joined())
      """
  }

  /// The model most like a file that fits none.
  private struct Nearest: Encodable {
    let model: String
    let dialect: String
    let nameMap: String?
    let matched: Int
    let missing: [String]
    let unexpected: [String]
    let misshaped: [String]

    init(_ found: Identification) {
      model = found.entry.name
      dialect = found.dialect.name
      nameMap = found.nameMap
      matched = found.report.matched.count
      missing = found.report.missing.map(\.name)
      unexpected = found.report.unexpected
      misshaped = found.report.misshaped.map(\.name)
    }
  }

  static func run(_ arguments: Arguments) throws {
    let file = try WeightFile.open(try PipedFile.weights(try arguments.operands(1)[0]))
    let checkpoint = try TrainingCheckpoint(file.archive, file.path)
    let found = checkpoint == nil ? Zoo.identification(of: file.archive) : nil
    let description = file.description
    if arguments.has("json") { return try Console.printJSON(Report(description, found, checkpoint)) }
    let rows = description.tensors.map { [$0.name.shown, $0.dtype.rawValue, $0.shape.shapeText.shown] }
    Console.print(Console.table(["tensor", "type", "shape"], rows))
    Console.print(
      """

      \(file.path): \(description.summary), \(description.byteCount.grouped) bytes
      \(description.tensorCount) tensors, \(description.parameterCount.grouped) values\(digest(description))\(metadata(description))
      \(checkpoint.map(text) ?? model(found))
      """)
  }

  private static func model(_ found: Identification?) -> String {
    guard let found else { return "model: none of the zoo's" }
    let map = found.nameMap.map { ", name map \($0)" } ?? ""
    let others = differences(found.report)
    let alike =
      found.alike.isEmpty ? "" : " (or \(found.alike.joined(separator: ", ")), with the same tensors)"
    let name = "\(found.entry.name), dialect \(found.dialect.name)\(alike)\(map)"
    switch found.extent {
    case .whole(let classes):
      let settings = found.settings.sorted { $0.key < $1.key }.map { ", \($0.key)=\($0.value.shortText)" }
      return
        "model: \(name)\(classes > 0 ? ", \(classes) classes" : "")\(settings.joined())\(others)"
    case .features(let stage):
      return
        "model: \(name), without a classifier: its stages through \(stage)\(differences(found.report, missing: false))"
    case .nearest where found.report.matched.isEmpty:
      return "model: none of the zoo's; by the sizes of its tensors the nearest is \(name), but no name fits"
    case .nearest:
      return """
        model: none of the zoo's; the nearest is \(name)
        \(found.report.matched.count) of its tensors match\(others)
        """
    }
  }

  private static func digest(_ description: WeightFile.Description) -> String {
    description.isIntact.map { "\nthe data is \($0 ? "what" : "DAMAGED: it is not what") its digest says" }
      ?? ""
  }

  /// The first of what does not fit, a line each.
  private static func differences(_ report: LoadReport, missing: Bool = true) -> String {
    let shown = 8
    func lines(_ title: String, _ names: [String]) -> [String] {
      names.isEmpty
        ? []
        : [
          "\(names.count) \(title): \(names.prefix(shown).map(\.shown).joined(separator: ", "))\(names.count > shown ? ", …" : "")"
        ]
    }
    let misshaped = report.misshaped.map {
      "\($0.name) (\($0.found.shapeText) instead of \($0.expected.shapeText))"
    }
    return
      (lines("missing", missing ? report.missing.map(\.name) : []) + lines("left over", report.unexpected)
      + lines("of another shape", misshaped)).map { "\n" + $0 }.joined()
  }

  /// A line for each string beside the tensors, cut to what fits on one.
  private static func metadata(_ description: WeightFile.Description) -> String {
    description.metadata.sorted { $0.key < $1.key }.map { key, value in
      let line = value.split(whereSeparator: \.isNewline).joined(separator: " ")
      return "\n\(key.onOneLine): \(line.prefix(100))\(line.count > 100 ? "…" : "")"
    }.joined()
  }
}
