import AviaryTensors
import Foundation

/// Learns vectors of words from texts by guessing which words stand near which, against words that are drawn at random (Mikolov et al. 2013,
/// "Distributed Representations of Words and Phrases and their Compositionality", arXiv:1310.4546).
///
/// As the C program `word2vec` does it with one thread: each word's window shrinks by a draw, frequent words are left out at random, noise is drawn by
/// counts to the power of 0.75, σ comes from a table, and the learning rate falls with the words read. Draws are of this library's generator, so
/// that the numbers differ from the program's; the same seed gives the same vectors.
public struct Word2Vec: Sendable, Hashable {
  /// What is guessed from what.
  public enum Architecture: String, Sendable, Hashable, CaseIterable {
    /// A word from the mean of the words around it ("continuous bag of words").
    case cbow
    /// A word from each of the words around it; the program changes the vectors of those.
    case skipGram = "skip_gram"
  }

  /// What is guessed from what.
  public var architecture = Architecture.cbow
  /// D, the numbers of a vector.
  public var width = 100
  /// The most words on each side that count.
  public var window = 5
  /// Words that are rarer have no vector.
  public var leastCount = 5
  /// Words that are drawn against each one that is right.
  public var negatives = 5
  /// t of the paper's section 2.3: words more frequent than this share of all are left out at times; 0 for never.
  public var sample = 1e-3
  /// The step size at the beginning; nil for the program's, 0.05 for ``Architecture/cbow`` and 0.025 for ``Architecture/skipGram``.
  public var learningRate: Float?
  /// How often the text is read.
  public var epochs = 5
  /// What is drawn from.
  public var seed: UInt64 = 1

  /// The program's numbers.
  public init() {}

  /// The step size that training begins with.
  var firstRate: Float { learningRate ?? (architecture == .cbow ? 0.05 : 0.025) }

  /// A text falls into words at white space, and into sentences at line ends, as the program reads it.
  public static func sentences(of text: String) -> [[String]] {
    text.split(whereSeparator: \.isNewline).map { line in
      line.split(whereSeparator: \.isWhitespace).map(String.init)
    }.filter { !$0.isEmpty }
  }

  /// Vectors of the words of some sentences, the most frequent first.
  ///
  /// - Parameter progress: gets the words read, and all. What it throws ends the training.
  /// - Throws: ``RareWords`` when fewer than two words are frequent enough, ``UnsuitableVectors`` when a step size was too large for finite numbers.
  public func train(
    on sentences: [[String]], progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> WordVectors {
    require(
      width > 0 && window > 0 && leastCount > 0 && negatives > 0 && sample >= 0 && epochs > 0
        && firstRate > 0, "word2vec with numbers that are not positive")
    let vocabulary = WordCounts(sentences, least: leastCount)
    guard vocabulary.words.count > 1 else {
      throw RareWords(count: vocabulary.words.count, least: leastCount)
    }
    let generator = RandomGenerator(seed: seed)
    var state = Word2VecState(vocabulary, self, generator)
    let total = epochs * vocabulary.total
    var (done, told) = (0, 0)
    for _ in 0..<epochs {
      for sentence in sentences {
        let known = sentence.compactMap { vocabulary.numbers[$0] }
        // The program's sentences have no more words than these.
        for start in stride(from: 0, to: known.count, by: Self.longestSentence) {
          let piece = known[start..<min(start + Self.longestSentence, known.count)]
          let rate = firstRate * max(1 - Float(done) / Float(total + 1), 1e-4)
          state.learn(Array(piece), rate: rate, generator)
          done += piece.count
        }
        if done - told >= Self.tellingEvery {
          told = done
          try progress(done, total)
        }
      }
    }
    try progress(total, total)
    return try WordVectors(words: vocabulary.words, width: width, values: state.input)
  }

  private static let longestSentence = 1000
  private static let tellingEvery = 10_000
}

/// Too few words are frequent enough to learn vectors of.
public struct RareWords: Error, Equatable, CustomStringConvertible {
  /// How many are.
  public let count: Int
  /// How often they have to be there.
  public let least: Int
  public var description: String {
    "\(count == 0 ? "no word is" : "only one word is") there \(least) times or more: a longer text, or a lower count, has others"
  }
}

/// The words of a text that are frequent enough, the most frequent first, of equals the first in the order of their characters.
struct WordCounts {
  let words: [String]
  let counts: [Int]
  let numbers: [String: Int]
  /// Occurrences of all of them.
  let total: Int

  init(_ sentences: [[String]], least: Int) {
    var found: [String: Int] = [:]
    for sentence in sentences { for word in sentence { found[word, default: 0] += 1 } }
    let kept = found.filter { $0.value >= least }
      .sorted { $0.value > $1.value || $0.value == $1.value && $0.key < $1.key }
    (words, counts) = (kept.map(\.key), kept.map(\.value))
    numbers = Dictionary(uniqueKeysWithValues: words.enumerated().map { ($1, $0) })
    total = counts.reduce(0, +)
  }
}
