import AviaryWeights

/// The words that a captioner knows, in the order of its numbers for them, with those that mark where a caption begins and ends.
public struct WordVocabulary: Sendable, Hashable {
  /// The words; the position of each is its number.
  public let words: [String]
  /// The number of `<start>`, which stands before a caption.
  public let start: Int
  /// The number of `<end>`, which stands behind it.
  public let end: Int
  /// The number of `<unk>`, which stands for words that are not known.
  public let unknown: Int
  /// The number of `<pad>`, which fills up shorter captions of a batch.
  public let padding: Int
  private let numbers: [String: Int]

  /// - Parameter words: in the order of their numbers, as a portable file's labels have them; the four marks among them.
  /// - Throws: ``UnsuitableWords`` when one is there twice or a mark is missing.
  public init(_ words: [String]) throws(UnsuitableWords) {
    var numbers: [String: Int] = [:]
    for (number, word) in words.enumerated() {
      if let other = numbers.updateValue(number, forKey: word) {
        throw UnsuitableWords("the vocabulary has \"\(word.shown)\" twice, as \(other) and as \(number)")
      }
    }
    func number(_ mark: String) throws(UnsuitableWords) -> Int {
      guard let number = numbers[mark] else {
        throw UnsuitableWords("the vocabulary of \(words.count) words has no \(mark)")
      }
      return number
    }
    (start, end) = (try number("<start>"), try number("<end>"))
    (unknown, padding) = (try number("<unk>"), try number("<pad>"))
    (self.words, self.numbers) = (words, numbers)
  }

  /// All words of some captions in the order of the alphabet, after `<pad>` and before the other marks, none of which is a word of a text.
  public init(of captions: some Sequence<String>) {
    let known = Set(captions.flatMap { Self.split($0) }).sorted()
    words = ["<pad>"] + known + ["<unk>", "<start>", "<end>"]
    padding = 0
    (unknown, start, end) = (known.count + 1, known.count + 2, known.count + 3)
    numbers = Dictionary(uniqueKeysWithValues: words.enumerated().map { ($1, $0) })
  }

  /// Reads a JSON file: an object from words to numbers, which are 0 to one less than there are, as the "word map" of the public tutorial is, or
  /// an array of words in their order. Or a pickle, of such an object or of the `Vocabulary` of yunjey's tutorial.
  ///
  /// - Throws: `WeightsError` naming the file when it cannot be read or is something else.
  public init(contentsOf path: String) throws {
    do {
      if let numbers = try PickledWords.numbers(contentsOf: path) {
        try self.init(try Self.words(.object(numbers.mapValues { .integer($0) })))
      } else {
        try self.init(try Self.words(try JSONValue(text: try ConfigurationFile.text(path, "the words"))))
      }
    } catch let error as WeightsError {
      throw WeightsError(error.kind, "the words: \(error.reason)", file: path)
    } catch let error as UnsuitableWords {
      throw WeightsError(.malformed, error.description, file: path)
    }
  }

  private static func words(_ value: JSONValue) throws(UnsuitableWords) -> [String] {
    switch value {
    case .array(let elements):
      let words = elements.compactMap { if case .string(let text) = $0 { text } else { nil } }
      if words.count == elements.count { return words }
    case .object(let members):
      var words = [String?](repeating: nil, count: members.count)
      for (word, number) in members.sorted(by: { $0.key < $1.key }) {
        guard case .integer(let index) = number, words.indices.contains(index), words[index] == nil else {
          throw UnsuitableWords(
            "the number of \"\(word.shown)\" is \(number.shortText), expected one from 0 to \(members.count - 1) that no other word has"
          )
        }
        words[index] = word
      }
      return words.compactMap(\.self)
    default: break
    }
    throw UnsuitableWords("the words are neither a JSON object from words to numbers nor an array of words")
  }

  /// How many words there are, marks among them.
  public var count: Int { words.count }

  /// The words of a text in lower case, without punctuation.
  public static func split(_ text: String) -> [String] {
    text.lowercased().split { !$0.isLetter && !$0.isNumber && $0 != "'" }.map(String.init)
  }

  /// The numbers of a caption's words between `<start>` and `<end>`; those of words that are not known are ``unknown``.
  public func encode(_ caption: String) -> [Int] {
    [start] + Self.split(caption).map { numbers[$0] ?? unknown } + [end]
  }

  /// The words of numbers, which must be the vocabulary's, without marks but `<unk>`.
  public func decode(_ numbers: some Sequence<Int>) -> [String] {
    numbers.filter { ![start, end, padding].contains($0) }.map { words[$0] }
  }
}

/// What was given as a captioner's words is none, or not the network's.
public struct UnsuitableWords: Error, Equatable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
