import Aviary
import Foundation

/// `aviary evaluate` for language models: how likely a text is, token by token.
enum TextEvaluation {
  private struct Report: Encodable {
    /// Per token.
    let nats: Float
    let perplexity: Float
    let bitsPerByte: Float
    let accuracy: Float
    /// Tokens predicted: all but the first.
    let count: Int
  }

  static let options = [
    Option(
      "stride", "N",
      "tokens from one window of a text to the next, where a model looks at so many only; by default half of those"
    )
  ]

  static func run(_ name: String, _ arguments: Arguments) throws {
    let path = try arguments.required("data")
    let limit = try arguments.integer("limit", default: .max, in: 2...Int.max)
    let text = try read(path, limit)
    let sets = try SetOptions(arguments, for: try Catalogue.selection(name).entry)
    let model = try arguments.languageModel(name, sets)
    let stride = try stride(arguments, model)
    let bar = ProgressBar()
    defer { bar.finish() }
    let likelihood = try model.negativeLogLikelihood(of: text, stride: stride) {
      bar.update("evaluate", done: $0, total: $1)
    }
    bar.finish()
    let report = Report(
      nats: likelihood.nats, perplexity: likelihood.perplexity, bitsPerByte: likelihood.bitsPerByte,
      accuracy: likelihood.accuracy, count: likelihood.count)
    if arguments.has("json") { return try Console.printJSON(report) }
    let unit = model.tokenizer.unit
    Console.print(
      String(
        format:
          "%.4f nats per %@, perplexity %.4f, %.4f bits per byte, %.4f of the next %@ guessed, on %d %@",
        report.nats, String(unit.dropLast()), report.perplexity, report.bitsPerByte, report.accuracy, unit,
        report.count, unit))
  }

  private static func stride(_ arguments: Arguments, _ model: LanguageModel) throws -> Int? {
    guard arguments.has("stride") else { return nil }
    guard let context = model.contextLength else {
      throw UsageError(
        "--stride goes with models that look at so many tokens only; this one reads a text whole")
    }
    return try arguments.integer("stride", default: 1, in: 1...context)
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
