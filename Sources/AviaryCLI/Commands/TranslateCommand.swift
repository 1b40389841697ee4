import Aviary
import Foundation

enum TranslateCommand: Command {
  static let name = "translate"
  static let summary =
    "Makes other texts of texts, one for each argument; - for the lines of standard input. What comes with the zoo translates dates as people write them, from 1950 to 2049, to ISO 8601: 3.5.98 has the day first, 5/3/98 the month."
  static let operands = "MODEL TEXT..."
  static let options = [
    Option.weights,
    Option(
      "beam", "N", "translations that are looked at at a time, by default 1: the likeliest character always"),
    Option("normalize", nil, "compare them by log p per character, which does not favour short ones"),
    Option("length", "N", "characters after which a translation ends that has no end, by default 100"),
    Option(
      "attention", "FILE",
      "a picture, .png or .jpg, of where the network looked at each character of the only text"),
    Option.set, Option.exact, Option.eager, Option.precision, Option.json,
  ]
  static let example = "aviary translate translate_dates 'Sunday, 3rd of May, 1998' --attention looks.png"

  /// log ½: what is less likely is said to be a guess.
  private static let leastScore = -log(Float(2))

  private struct Record: Encodable {
    let text: String
    let translation: String
    /// The sum of log p over the characters and the end.
    let score: Float
    /// Whether it came to an end by itself.
    let isComplete: Bool
  }

  static func run(_ arguments: Arguments) throws {
    let (name, words) = try arguments.firstAndRest()
    try Catalogue.selection(name).entry.require(Translator.task)
    let beam = try arguments.integer("beam", default: 1, in: 1...1000)
    let length = try arguments.integer("length", default: 100, in: 1...10_000)
    let texts = try words.flatMap(texts)
    let drawing = try drawing(arguments, of: texts)
    let translator = try arguments.model(Translator.self, name, runs: texts.count)
    var records: [Record] = []
    for text in texts {
      let found: Translation
      do {
        found = try translator.translate(
          text, beam: beam, isNormalized: arguments.has("normalize"), maximumLength: length)
      } catch let error as UnknownCharacters where texts.count > 1 {
        throw UsageError("'\(text.onOneLine)': \(error)")
      } catch let error as LongText where texts.count > 1 {
        throw UsageError("'\(text.onOneLine)': \(error)")
      }
      records.append(
        Record(text: text, translation: found.text, score: found.score, isComplete: found.isComplete))
      if !arguments.has("json") { Console.print(found.text.onOneLine) }
      if found.score < leastScore {
        Console.printError(
          "'\(text.onOneLine)': a guess, of a probability of \(String(format: "%.2g", exp(found.score)))")
      }
      if !found.isComplete { Console.printError("'\(text.onOneLine)': cut off, no end came") }
      if let drawing {
        guard let attention = found.attention else {
          throw UsageError("--attention draws where a network looks, and these weights have no attention")
        }
        let labels = found.labels
        try Image.alignment(attention, rows: labels.rows, columns: labels.columns).write(to: drawing)
      }
    }
    if arguments.has("json") { try Console.printJSON(records) }
  }

  /// An argument, or the lines of standard input.
  private static func texts(_ word: String) throws -> [String] {
    guard word == "-", let pipe = PipedFile(word) else { return [word] }
    let lines = try pipe.text().split(whereSeparator: \.isNewline).map(String.init)
    guard !lines.isEmpty else { throw UsageError("standard input has no lines to translate") }
    return lines
  }

  /// The file of `--attention`.
  private static func drawing(_ arguments: Arguments, of texts: [String]) throws -> String? {
    guard let path = arguments.string("attention") else { return nil }
    guard texts.count == 1 else {
      throw UsageError("--attention takes one text, not \(texts.count)")
    }
    let ending = path.split(separator: ".").last?.lowercased() ?? ""
    guard path.contains("."), ["png", "jpg", "jpeg"].contains(ending) else {
      throw UsageError("--attention takes a file that ends in .png or .jpg, not \(path)")
    }
    try Output.checkWritable(path, as: nil)
    return path
  }
}
