import Aviary
import Foundation

enum WriteCommand: Command {
  static let name = "write"
  static let summary =
    "Writes on from the beginning of a text, token by token: characters, or parts of words."
  static let operands = "MODEL"
  static let options = [
    Option.weights, Option.set, Option("prompt", "TEXT", "the beginning; - for standard input"),
    Option("length", "N", "tokens to write, by default 200, unless the model ends the text before"),
    Option("stop", "TEXT", "end before this text; may be given several times"),
    Option("greedy", nil, "always the likeliest token, instead of a choice by chance"),
    Option("temperature", "T", "below 1 likely tokens become likelier, above 1 rarer ones; by default 1"),
    Option("top-k", "K", "choose among the K likeliest tokens only, and those as likely as the last of them"),
    Option("top-p", "P", "choose among the likeliest tokens that together have the probability P"),
    Option("seed", "N", "of the choices, by default 0: the same one gives the same text"),
    Option("beam", "N", "the likeliest text that looking at N at a time finds, instead of a choice"),
    Option(
      "normalize", nil, "with --beam: compare texts by log p per token, which does not favour short ones"),
    Option.vocabulary,
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
    let way = try way(arguments)
    let prompt = try text(try arguments.required("prompt"))
    let model = try arguments.languageModel(name, sets)
    // A mistake in the prompt is told before the prompt is.
    _ = try model.tokenizer.encode(prompt)
    let start = Date()
    let isJSON = arguments.has("json")
    if !isJSON { Console.printPart(prompt) }
    let stops = arguments.strings("stop")
    let written: String
    switch way {
    case .choice(let choice):
      written = try model.write(
        prompt, length: length, choosing: choice, stops: stops, seed: UInt64(seed)
      ) {
        if !isJSON { Console.printPart($0) }
      }
    case .beam(let width, let isNormalized):
      written = try model.likeliest(
        prompt, length: length, beam: width, isNormalized: isNormalized, stops: stops)
      if !isJSON { Console.printPart(written) }
    }
    guard isJSON else { return Console.print("") }
    try Console.printJSON(
      Report(model: entry.name, prompt: prompt, text: written, seconds: Date().timeIntervalSince(start)))
  }

  /// How a text is found.
  private enum Way {
    case choice(TokenChoice)
    case beam(Int, isNormalized: Bool)
  }

  private static func way(_ arguments: Arguments) throws -> Way {
    let chances = ["temperature", "top-k", "top-p", "seed"]
    if arguments.has("beam") {
      if let other = (["greedy"] + chances).first(where: arguments.has) {
        throw UsageError("--\(other) goes not with --beam, which looks for the likeliest text")
      }
      return .beam(
        try arguments.integer("beam", default: 1, in: 1...100), isNormalized: arguments.has("normalize"))
    }
    if arguments.has("normalize") { throw UsageError("--normalize goes with --beam alone") }
    if arguments.has("greedy") {
      if let other = chances.first(where: arguments.has) {
        throw UsageError("--\(other) goes not with --greedy, which leaves nothing to chance")
      }
      return .choice(.greedy)
    }
    return .choice(
      .sampled(
        temperature: try arguments.number("temperature", default: 1, in: 1e-3...1e3),
        topK: arguments.has("top-k") ? try arguments.integer("top-k", default: 1, in: 1...1_000_000) : nil,
        topP: arguments.has("top-p") ? try arguments.number("top-p", default: 1, in: 1e-6...1) : nil))
  }

  private static func text(_ prompt: String) throws -> String {
    guard prompt == "-", let pipe = PipedFile(prompt) else { return prompt }
    return try pipe.text()
  }
}

extension Option {
  static let vocabulary = Option(
    "vocabulary", "FILE",
    "the tokens of the weights: a JSON object from characters to numbers, or an array; GPT-2's vocab.json, with merges.txt beside it; by default what the weights or such files beside them say"
  )
}

extension Arguments {
  /// A language model with the weights, settings and vocabulary that were asked for, for many runs.
  func languageModel(_ name: String, _ sets: SetOptions) throws -> LanguageModel {
    var loaded = try loadedNetwork(name, sets)
    if let file = string("vocabulary") { loaded = loaded.bound(to: try loaded.tokenizer(contentsOf: file)) }
    loaded.tellChangesAndAssumptions()
    return try LanguageModel(loaded, execution: try execution(runs: Self.manyRuns))
  }

  private static let manyRuns = 1000
}
