import AviaryLayers
import AviaryWeights

/// From texts to the numbers of tokens that a network reads, and back.
public protocol Tokenizer: Sendable {
  /// How many tokens there are.
  var count: Int { get }
  /// The token that stands behind a text; nil where there is none.
  var endOfText: Int? { get }
  /// What tokens are, in the plural, for messages: `characters`.
  var unit: String { get }
  /// The numbers of a text's tokens. Throws ``UnknownCharacters`` for what no token stands for.
  func encode(_ text: String) throws -> [Int]
  /// The UTF-8 of a token, which may begin or end within a character.
  ///
  /// - Parameter token: a number from 0 to less than ``count``.
  func bytes(of token: Int) -> [UInt8]
  /// What a portable file says of it: a name for every token in the order of their numbers, and the members of `task_settings`.
  var portable: (labels: [String], settings: Settings) { get }
}

extension Tokenizer {
  /// The text of tokens; bytes that are no UTF-8 become U+FFFD.
  public func decode(_ tokens: some Sequence<Int>) -> String {
    String(decoding: tokens.flatMap(bytes(of:)), as: UTF8.self)
  }
}

/// The kinds of tokens, as a portable file calls them.
enum TokenizerKind: String, CaseIterable {
  /// A token is a Unicode scalar.
  case characters
  /// GPT-2's pairs of bytes.
  case byteLevelBPE = "byte_level_bpe"

  /// The member of `task_settings` that says it; characters where it is absent.
  static let setting = "tokenizer"
}

extension LoadedNetwork {
  /// The same with other tokens bound to it.
  public func bound(to tokenizer: any Tokenizer) -> LoadedNetwork {
    var result = self
    result.metadata.bind(tokenizer)
    result.assumptions = []
    return result
  }

  /// Reads the tokens of these weights from a file: a vocabulary of characters, or that of pairs of bytes with the merges beside it.
  ///
  /// - Throws: `WeightsError` naming the file when it cannot be read or is something else.
  public func tokenizer(contentsOf path: String) throws -> any Tokenizer {
    switch try tokenizerKind() {
    case .characters: try Vocabulary(contentsOf: path)
    case .byteLevelBPE: try ByteLevelBPE(vocabulary: path)
    }
  }

  /// The tokens that are bound to the weights.
  ///
  /// - Throws: ``UnsuitableVocabulary`` where there are none, or not the network's; ``ConfigurationError`` for settings that make no sense.
  func tokenizer() throws -> any Tokenizer {
    let kind = try tokenizerKind()
    guard let labels = metadata.labels else {
      let size = network.signature.inputs.first?.bound ?? 0
      switch kind {
      case .characters:
        throw UnsuitableVocabulary(
          "\(name) has \(size) characters, and no vocabulary says which: lay a vocab.json beside the weights, or name a file with --vocabulary, that is a JSON object from characters to numbers or an array of characters"
        )
      case .byteLevelBPE:
        throw UnsuitableVocabulary(
          "\(name) has \(size) tokens, and no vocabulary says which: lay vocab.json and merges.txt (or encoder.json and vocab.bpe) beside the weights, or name the first with --vocabulary, with the second beside it"
        )
      }
    }
    switch kind {
    case .characters: return try Vocabulary(labels)
    case .byteLevelBPE: return try ByteLevelBPE(labels: labels, settings: metadata.taskSettings ?? [:])
    }
  }

  private func tokenizerKind() throws(ConfigurationError) -> TokenizerKind {
    var settings = ConfigurationEntries(metadata.taskSettings ?? [:])
    let kind = try settings.choice(TokenizerKind.setting, TokenizerKind.self, missing: .characters)
    if kind == .byteLevelBPE { for name in ByteLevelBPE.settingNames { settings.ignore(name) } }
    try settings.finish()
    return kind
  }
}

extension PortableMetadata {
  /// Says which tokens the weights are for.
  mutating func bind(_ tokenizer: any Tokenizer) {
    let (labels, settings) = tokenizer.portable
    self.labels = labels
    taskSettings = settings.isEmpty ? nil : settings
  }
}

/// Bytes that come token by token, given on as text: a character whose last bytes are missing waits for them.
struct TextStream {
  private var waiting: [UInt8] = []

  /// The whole characters that bytes complete. Bytes that are no UTF-8 become U+FFFD, as they do when all are decoded at once.
  mutating func append(_ bytes: [UInt8]) -> String {
    waiting += bytes
    let whole = waiting.count - Self.incompleteSuffix(waiting)
    defer { waiting.removeFirst(whole) }
    return String(decoding: waiting[..<whole], as: UTF8.self)
  }

  /// What is left at the end: U+FFFD for a character that was begun.
  mutating func finish() -> String {
    defer { waiting = [] }
    return String(decoding: waiting, as: UTF8.self)
  }

  /// How many bytes at the end may be the beginning of a character.
  private static func incompleteSuffix(_ bytes: [UInt8]) -> Int {
    for (distance, byte) in bytes.reversed().prefix(3).enumerated() where byte & 0xC0 != 0x80 {
      let needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return needed > distance + 1 ? distance + 1 : 0
    }
    return 0
  }
}
