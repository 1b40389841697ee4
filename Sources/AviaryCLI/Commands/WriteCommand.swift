import Aviary
import Foundation

enum WriteCommand: Command {
  static let name = "write"
  static let summary = "Writes on from the beginning of a text, character by character."
  static let operands = "MODEL"
  static let options = [
    Option.weights, Option.set, Option("prompt", "TEXT", "the beginning; - for standard input"),
    Option("length", "N", "characters to write, by default 200"),
    Option("greedy", nil, "always the likeliest character, instead of a choice by chance"),
    Option("temperature", "T", "below 1 likely characters become likelier, above 1 rarer ones; by default 1"),
    Option("top-k", "K", "choose among the K likeliest characters only"),
    Option("seed", "N", "of the choices, by default 0: the same one gives the same text"), Option.vocabulary,
    Option.eager, Option.precision, Option.json,
  ]
  static let example = "aviary write charrnn --weights charrnn.pth --prompt The --temperature 0.8"

  private struct Report: Encodable {
    let model: String
    let prompt: String
    /// What follows the prompt.
    let text: String
    let seconds: Double
  }

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let entry = try Catalogue.selection(name).entry
    try entry.require(.language)
    let sets = try SetOptions(arguments, for: entry)
    try sets.requireSettings(entry)
    let length = try arguments.integer("length", default: 200, in: 1...10_000_000)
    let seed = try arguments.integer("seed", default: 0, in: 0...Int.max)
    let choice = try choice(arguments)
    let prompt = try text(try arguments.required("prompt"))
    let model = try arguments.languageModel(name, sets)
    // A mistake in the prompt is told before the prompt is.
    _ = try model.vocabulary.encode(prompt)
    let start = Date()
    let isJSON = arguments.has("json")
    if !isJSON { Console.printPart(prompt) }
    let written = try model.write(prompt, length: length, choosing: choice, seed: UInt64(seed)) {
      if !isJSON { Console.printPart($0) }
    }
    guard isJSON else { return Console.print("") }
    try Console.printJSON(
      Report(model: entry.name, prompt: prompt, text: written, seconds: Date().timeIntervalSince(start)))
  }

  private static func choice(_ arguments: Arguments) throws -> TokenChoice {
    if arguments.has("greedy") {
      if let other = ["temperature", "top-k", "seed"].first(where: arguments.has) {
        throw UsageError("--\(other) goes not with --greedy, which leaves nothing to chance")
      }
      return .greedy
    }
    return .sampled(
      temperature: try arguments.number("temperature", default: 1, in: 1e-3...1e3),
      topK: arguments.has("top-k") ? try arguments.integer("top-k", default: 1, in: 1...1_000_000) : nil)
  }

  private static func text(_ prompt: String) throws -> String {
    guard prompt == "-", let pipe = PipedFile(prompt) else { return prompt }
    return try pipe.text()
  }
}

extension Option {
  static let vocabulary = Option(
    "vocabulary", "FILE",
    "the characters of the weights: a JSON object from characters to numbers, or an array; by default what the weights or a vocab.json beside them say"
  )
}

extension Arguments {
  /// A language model with the weights, settings and vocabulary that were asked for, for many runs.
  func languageModel(_ name: String, _ sets: SetOptions) throws -> LanguageModel {
    var loaded = try loadedNetwork(name, sets)
    if let file = string("vocabulary") { loaded = loaded.bound(to: try Vocabulary(contentsOf: file)) }
    loaded.tellChangesAndAssumptions()
    return try LanguageModel(loaded, execution: try execution(runs: Self.manyRuns))
  }

  private static let manyRuns = 1000
}
