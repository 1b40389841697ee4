import Aviary
import Foundation

/// `aviary evaluate` for captioners: BLEU-1 to BLEU-4 against what people wrote, as sacrebleu counts it.
enum CaptionerEvaluation {
  static let options = [
    Option(
      "beam", "N",
      "for captioners: captions that are looked at at a time, by default 5; for translators by default 1"),
    Option(
      "normalize", nil, "for captioners and translators: compare captions by log p per word, or character"),
  ]

  private struct Report: Encodable {
    struct Example: Encodable {
      let image: String
      let caption: String
    }
    let pictures: Int
    /// BLEU-1, -2, -3, -4, from 0 to 100.
    let bleu: [Double]
    let brevityPenalty: Double
    /// The share of captions that are one of the references, word by word.
    let exact: Double
    /// The share that came to an end by themselves.
    let complete: Double
    let captions: [Example]
    let leftOut: [String: Int]
    let errors: [String]
  }

  static func run(_ name: String, _ arguments: Arguments) throws {
    let file = try arguments.required("data")
    let data = try COCOData.open(file, pictures: arguments.string("pictures"), .captions)
    let count = min(data.count, try arguments.integer("limit", default: data.count, in: 1...Int.max))
    let beam = try arguments.integer("beam", default: 5, in: 1...1000)
    let captioner = try arguments.captioner(name, runs: count)
    var (bleu, exact, complete) = (BLEU(), 0, 0)
    var (examples, errors): ([Report.Example], [String]) = ([], [])
    let bar = ProgressBar()
    var waiting: [(index: Int, features: Tensor, references: [String])] = []
    func say() throws {
      if waiting.isEmpty { return }
      let captions = try captioner.captions(
        concatenate(waiting.map(\.features), axis: 0), beam: beam, isNormalized: arguments.has("normalize"))
      for ((index, _, references), caption) in zip(waiting, captions) {
        bleu.add(
          WordSplitting.mteval(caption.text.lowercased()),
          references: references.map { WordSplitting.mteval($0.lowercased()) })
        if references.contains(where: { WordVocabulary.split($0) == caption.words }) { exact += 1 }
        if caption.isComplete { complete += 1 }
        examples.append(Report.Example(image: data.file(index), caption: caption.text))
      }
      waiting = []
    }
    for index in 0..<count {
      do {
        let picture = try data.picture(index)
        guard !picture.captions.isEmpty else {
          throw UsageError("\(data.file(index)) has no caption in \(file)")
        }
        let features = try captioner.features(of: picture.image, named: data.file(index))
        waiting.append((index, features, picture.captions))
      } catch {
        bar.finish()
        errors.append("\(error)")
        Console.printError("aviary: \(error)")
      }
      if waiting.count == batchSize { try say() }
      bar.update("evaluate", done: index + 1, total: count)
    }
    try say()
    bar.finish()
    let measured = max(examples.count, 1)
    let report = Report(
      pictures: examples.count, bleu: (1...BLEU.longest).map { bleu.score(order: $0) },
      brevityPenalty: bleu.brevityPenalty, exact: Double(exact) / Double(measured),
      complete: Double(complete) / Double(measured), captions: examples, leftOut: data.leftOut.byText,
      errors: errors)
    if arguments.has("json") { try Console.printJSON(report) } else { Console.print(text(report)) }
    if !errors.isEmpty { throw ToldFailure() }
  }

  /// Pictures whose words are looked for at the same time.
  private static let batchSize = 16

  private static func text(_ report: Report) -> String {
    let scores = report.bleu.enumerated().map { String(format: "BLEU-%d %.2f", $0 + 1, $1) }
    return scores.joined(separator: "  ")
      + String(
        format:
          "  on %d pictures\nbrevity penalty %.4f, %.2f %% word by word as a reference, %.2f %% came to an end",
        report.pictures, report.brevityPenalty, 100 * report.exact, 100 * report.complete)
  }
}
