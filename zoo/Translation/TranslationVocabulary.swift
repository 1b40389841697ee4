import AviaryLayers
import AviaryTensors
import AviaryWeights

/// The characters that a translator reads and those that it writes.
public struct TranslationVocabulary: Sendable, Hashable {
  /// Those that it reads.
  public let source: Vocabulary
  /// Those that it writes, without the two marks.
  public let target: Vocabulary
  /// The most characters of a text that it can be expected to translate.
  public let longest: Int

  /// The number of the mark before a translation.
  static let start = 0
  /// The number of the mark behind it.
  static let end = 1
  /// What the marks are called among the labels.
  static let marks = ["<start>", "<end>"]

  /// Characters in the order of their numbers, and the most that a text may have (`longest`).
  public init(source: Vocabulary, target: Vocabulary, longest: Int) {
    require(longest > 0, "texts of \(longest) characters")
    (self.source, self.target, self.longest) = (source, target, longest)
  }

  /// How many tokens are written, the marks among them.
  var targetCount: Int { target.count + Self.marks.count }

  /// The tokens of a translation, with both marks. Throws ``UnknownCharacters``.
  func encode(target text: String) throws(UnknownCharacters) -> [Int] {
    [Self.start] + (try target.encode(text)).map { $0 + Self.marks.count } + [Self.end]
  }

  /// The text of tokens, without the marks.
  func decode(_ tokens: [Int]) -> String {
    target.decode(tokens.filter { $0 >= Self.marks.count }.map { $0 - Self.marks.count })
  }
}

extension TranslationVocabulary {
  static let (sourceSetting, longestSetting) = ("source", "longest")

  /// What a portable file says of it.
  var portable: (labels: [String], settings: Settings) {
    (
      Self.marks + target.labels,
      [
        Self.sourceSetting: .array(source.labels.map { .string($0) }),
        Self.longestSetting: .integer(longest),
      ]
    )
  }

  /// From what is bound to weights.
  ///
  /// - Throws: ``UnsuitableVocabulary``, ``ConfigurationError`` where that is nothing, or makes no sense.
  package init(_ loaded: LoadedNetwork) throws {
    var settings = ConfigurationEntries(loaded.metadata.taskSettings ?? [:])
    longest = try settings.integer(Self.longestSetting, 1...100_000, missing: 100)
    settings.ignore(Self.sourceSetting)
    try settings.finish()
    guard let labels = loaded.metadata.labels,
      case .array(let values)? = loaded.metadata.taskSettings?[Self.sourceSetting]
    else {
      throw UnsuitableVocabulary("nothing says which characters \(loaded.name) reads and writes")
    }
    let characters = values.compactMap { if case .string(let text) = $0 { text } else { nil } }
    guard characters.count == values.count, Array(labels.prefix(Self.marks.count)) == Self.marks else {
      throw UnsuitableVocabulary(
        "the characters of \(loaded.name) are no list of texts, or do not begin with \(Self.marks.joined(separator: " and "))"
      )
    }
    source = try Vocabulary(characters)
    target = try Vocabulary(Array(labels.dropFirst(Self.marks.count)))
  }
}

/// A text is longer than what a model can be expected to read.
public struct LongText: Error, Equatable, CustomStringConvertible {
  /// Its characters.
  public let count: Int
  /// The most that there can be.
  public let most: Int
  public var description: String {
    "the text has \(count) characters, but the model learned from texts of \(most) at most"
  }
}
