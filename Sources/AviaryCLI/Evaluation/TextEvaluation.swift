import Aviary
import Foundation

/// `aviary evaluate` for language models: how likely a text is, character by character.
enum TextEvaluation {
  private struct Report: Encodable {
    /// Per character.
    let nats: Float
    let accuracy: Float
    /// Characters predicted: all but the first.
    let count: Int
  }

  static func run(_ name: String, _ arguments: Arguments) throws {
    let path = try arguments.required("data")
    let limit = try arguments.integer("limit", default: .max, in: 2...Int.max)
    let text = try read(path, limit)
    let sets = try SetOptions(arguments, for: try Catalogue.selection(name).entry)
    let model = try arguments.languageModel(name, sets)
    let bar = ProgressBar()
    defer { bar.finish() }
    let likelihood = try model.negativeLogLikelihood(of: text) {
      bar.update("evaluate", done: $0, total: $1)
    }
    bar.finish()
    let report = Report(nats: likelihood.nats, accuracy: likelihood.accuracy, count: likelihood.count)
    if arguments.has("json") { return try Console.printJSON(report) }
    Console.print(
      String(
        format: "%.4f nats per character, %.4f of the next characters guessed, on %d characters", report.nats,
        report.accuracy, report.count))
  }

  /// The first characters of a file. Throws ``UsageError`` naming it.
  private static func read(_ path: String, _ limit: Int) throws -> String {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw UsageError("--data \(path) cannot be read; a language model is evaluated on a file of text")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw UsageError("\(path) is no text in UTF-8")
    }
    return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit)))
  }
}
