import Aviary
import Foundation

enum VerifyCommand: Command {
  static let name = "verify"
  static let summary =
    "Runs a fixed input through the network and compares each stage with what the file, the card or another file expects."
  static let operands = "MODEL"
  static let options = [
    Option.weights, Option("against", "FILE", "compare with these weights of the same model, stage by stage"),
    Option.set, Option.json,
  ]
  static let example = "aviary verify resnet50 --weights resnet50.safetensors"

  /// A stage differs, or there is nothing to compare with.
  private struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private struct Report: Encodable {
    struct Stage: Encodable {
      let name: String
      let mean: Double?
      let magnitude: Double?
      let expectedMean: Double?
      let expectedMagnitude: Double?
      let agrees: Bool
    }
    let model: String
    let dialect: String
    let expectedFrom: String
    let stages: [Stage]
    let firstDivergence: String?
    let likelyCauses: [String]
    let fittingReadings: [String]

    init(_ loaded: LoadedNetwork, _ result: Verification) {
      model = loaded.name
      dialect = loaded.dialect.name
      expectedFrom = VerifyCommand.text(result.origin)
      stages = result.rows.map { row in
        func finite(_ value: Double?) -> Double? { value.flatMap { $0.isFinite ? $0 : nil } }
        return Stage(
          name: row.found.name, mean: finite(row.found.mean), magnitude: finite(row.found.magnitude),
          expectedMean: finite(row.expected?.mean), expectedMagnitude: finite(row.expected?.magnitude),
          agrees: row.agrees)
      }
      firstDivergence = result.firstDivergence
      likelyCauses = result.likelyCauses
      fittingReadings = result.fittingReadings
    }
  }

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    // The other network is gone before the one that is verified is loaded: one after another they need half the memory.
    let other = try arguments.file("against").map { path in
      (
        path: path,
        stages: try Zoo.network(name, weights: path, allowing: arguments.allowance).stageStatistics()
      )
    }
    let entry = try Catalogue.selection(name).entry
    let sets = try SetOptions(arguments, for: entry)
    try sets.requireSettings(entry)
    let loaded = try arguments.loadedNetwork(name, sets)
    loaded.tellChanges()
    let result: Verification
    if let other {
      result = try loaded.verification(against: other.stages, from: .other(other.path))
    } else if let (stages, origin) = try loaded.expectedStages(isPublished: !arguments.has("weights")) {
      result = try loaded.verification(against: stages, from: origin)
    } else {
      throw Failure(
        description:
          "there is nothing to compare with: neither the file nor the card has expected values; name another file with --against"
      )
    }
    if arguments.has("json") {
      try Console.printJSON(Report(loaded, result))
    } else {
      Console.print(table(result))
    }
    guard let stage = result.firstDivergence else {
      if !arguments.has("json") {
        Console.print("\n\(loaded.name), dialect \(loaded.dialect.name): as \(text(result.origin)) expects")
      }
      return
    }
    let readings = result.fittingReadings
    let cause =
      readings.isEmpty
      ? "likely causes: \(result.likelyCauses.joined(separator: ", "))"
      : "what is expected comes out if \(readings.joined(separator: ", or if "))"
    throw Failure(
      description:
        "the stage \(stage) is the first that differs from what \(text(result.origin)) expects; \(cause)")
  }

  private static func text(_ origin: Verification.Origin) -> String {
    switch origin {
    case .file: "the file"
    case .card: "the card"
    case .other(let path): path
    }
  }

  private static func table(_ result: Verification) -> String {
    func text(_ value: Double?) -> String {
      value.map { $0.isNaN ? "NaN" : String(format: "%.6g", $0) } ?? "–"
    }
    let rows = result.rows.map { row in
      [
        row.found.name, text(row.found.mean), text(row.expected?.mean), text(row.found.magnitude),
        text(row.expected?.magnitude), row.agrees ? "" : "differs",
      ]
    }
    return Console.table(
      ["stage", "mean", "expected", "magnitude", "expected", ""], rows, right: [1, 2, 3, 4])
  }
}
