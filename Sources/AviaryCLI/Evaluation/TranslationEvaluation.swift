import Aviary

/// `aviary evaluate` for translators: how many texts of a file become what stands beside them.
enum TranslationEvaluation {
  private struct Report: Encodable {
    /// The share of texts of which every character is right.
    let exact: Double
    /// BLEU-4 of the words, as sacrebleu counts, from 0 to 100; nil where no translation has four words.
    let bleu: Double?
    /// Texts.
    let count: Int
    /// Texts that could not be translated: too long, or with unknown characters. They count as wrong.
    let refused: Int
  }

  static func run(_ name: String, _ arguments: Arguments) throws {
    let path = try arguments.required("data")
    let limit = try arguments.integer("limit", default: .max, in: 1...Int.max)
    let pairs = try Array(self.pairs(path).prefix(limit))
    let beam = try arguments.integer("beam", default: 1, in: 1...1000)
    let translator = try arguments.model(Translator.self, name, runs: pairs.count)
    let bar = ProgressBar()
    defer { bar.finish() }
    var (exact, refused, bleu, longest) = (0, 0, BLEU(), 0)
    for start in stride(from: 0, to: pairs.count, by: batchSize) {
      let batch = pairs[start..<min(start + batchSize, pairs.count)]
      let refusals = try batch.map { try isRefused($0.source, by: translator) }
      var found = try translator.translate(
        zip(batch, refusals).filter { !$1 }.map(\.0.source), beam: beam,
        isNormalized: arguments.has("normalize"))[...]
      for (pair, isRefused) in zip(batch, refusals) {
        let text = isRefused ? "" : found.removeFirst().text
        if isRefused { refused += 1 }
        if text == pair.target { exact += 1 }
        let wanted = WordSplitting.mteval(pair.target)
        longest = max(longest, wanted.count)
        bleu.add(WordSplitting.mteval(text), references: [wanted])
      }
      bar.update("evaluate", done: batch.endIndex, total: pairs.count)
    }
    bar.finish()
    let report = Report(
      exact: Double(exact) / Double(pairs.count), bleu: longest < BLEU.longest ? nil : bleu.score(),
      count: pairs.count, refused: refused)
    if arguments.has("json") { return try Console.printJSON(report) }
    let note =
      refused == 0 ? "" : ", \(refused) of which are too long or have unknown characters and count as wrong"
    let words = report.bleu.map { String(format: ", BLEU %.2f", $0) } ?? ""
    Console.print(String(format: "%.4f exact%@, on %d texts", report.exact, words, report.count) + note)
  }

  /// Texts that are translated at the same time.
  private static let batchSize = 32

  /// Whether a text is too long or has unknown characters. Throws what else is wrong with it.
  private static func isRefused(_ text: String, by translator: Translator) throws -> Bool {
    do {
      _ = try translator.tokens(of: text)
      return false
    } catch is UnknownCharacters {
      return true
    } catch is LongText {
      return true
    }
  }

  /// The lines of a file, each a text, a tab, and what it becomes. Throws ``UsageError`` naming the first that is none.
  private static func pairs(_ path: String) throws -> [(source: String, target: String)] {
    let lines = try TextFile.text(contentsOf: path).split(
      omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    let pairs = try lines.enumerated().compactMap { number, line -> (source: String, target: String)? in
      if line.isEmpty { return nil }
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw UsageError("\(path): line \(number + 1) is not a text, a tab and its translation")
      }
      return (parts[0], parts[1])
    }
    guard !pairs.isEmpty else { throw UsageError("\(path) has no texts to translate") }
    return pairs
  }
}
