import Aviary

/// `aviary words train`: vectors of the words of texts.
enum WordTraining {
  static let options = [
    Option(
      "skip-gram", nil, "guess each word near a word from it, instead of the word from the mean of those"),
    Option("width", "D", "numbers of a vector, by default 100"),
    Option("window", "N", "the most words on each side that count, by default 5"),
    Option("least", "N", "words that are rarer have no vector, by default 5"),
    Option("negatives", "N", "words drawn against each one that is right, by default 5"),
    Option("sample", "T", "leave out words at times that are more frequent than this, by default 0.001"),
    Option("rate", "R", "the step size at the beginning, by default 0.05, or 0.025 with --skip-gram"),
    Option("epochs", "N", "how often the text is read, by default 5"),
    Option("seed", "N", "of what is drawn, by default 1: the same one gives the same vectors"),
  ]

  private struct Report: Encodable {
    let output: String
    let words: Int
    let width: Int
  }

  static func run(_ paths: [String], _ arguments: Arguments) throws {
    guard !paths.isEmpty else { throw UsageError("usage: aviary words train TEXT... --output FILE") }
    let output = try arguments.required("output")
    try Output.checkWritable(output, as: nil)
    var trainer = Word2Vec()
    if arguments.has("skip-gram") { trainer.architecture = .skipGram }
    trainer.width = try arguments.integer("width", default: trainer.width, in: 1...10_000)
    trainer.window = try arguments.integer("window", default: trainer.window, in: 1...1000)
    trainer.leastCount = try arguments.integer("least", default: trainer.leastCount, in: 1...1_000_000)
    trainer.negatives = try arguments.integer("negatives", default: trainer.negatives, in: 1...1000)
    trainer.sample = Double(try arguments.number("sample", default: Float(trainer.sample), in: 0...1))
    if arguments.has("rate") {
      trainer.learningRate = try arguments.number("rate", default: 0.05, in: 1e-6...1)
    }
    trainer.epochs = try arguments.integer("epochs", default: trainer.epochs, in: 1...10_000)
    trainer.seed = UInt64(try arguments.integer("seed", default: 1, in: 0...Int.max))
    let sentences = try paths.flatMap { Word2Vec.sentences(of: try TextFile.text(contentsOf: $0)) }
    let bar = ProgressBar()
    defer { bar.finish() }
    let vectors = try trainer.train(on: sentences) { bar.update("train", done: $0, total: $1) }
    bar.finish()
    try vectors.write(to: output, as: WordsCommand.format(of: output))
    if arguments.has("json") {
      return try Console.printJSON(
        Report(output: output, words: vectors.words.count, width: vectors.width))
    }
    Console.print("\(output): \(vectors.words.count) words, vectors of \(vectors.width)")
  }
}
