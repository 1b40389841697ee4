import AviaryWeights

/// The characters that a model knows, in the order of its numbers for them. A character is a Unicode scalar: one of Python's.
public struct Vocabulary: Tokenizer, Hashable {
  /// The characters; the position of each is its number.
  public let characters: [Unicode.Scalar]
  private let numbers: [Unicode.Scalar: Int]

  /// - Parameter characters: in the order of their numbers, as a portable file's labels have them.
  /// - Throws: ``UnsuitableVocabulary`` where one is there twice, or is none or several characters.
  public init(_ characters: [String]) throws(UnsuitableVocabulary) {
    var (scalars, numbers): ([Unicode.Scalar], [Unicode.Scalar: Int]) = ([], [:])
    for (number, text) in characters.enumerated() {
      guard let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1 else {
        throw UnsuitableVocabulary(
          "the vocabulary's number \(number) is \"\(text.shown)\", not one character")
      }
      if let other = numbers.updateValue(number, forKey: scalar) {
        throw UnsuitableVocabulary("the vocabulary has \(scalar.quoted) twice, as \(other) and as \(number)")
      }
      scalars.append(scalar)
    }
    (self.characters, self.numbers) = (scalars, numbers)
  }

  /// All characters of a text, in the order of their numbers in Unicode.
  public init(of text: String) {
    characters = Set(text.unicodeScalars).sorted { $0.value < $1.value }
    numbers = Dictionary(uniqueKeysWithValues: characters.enumerated().map { ($1, $0) })
  }

  /// Reads a JSON file: an object from characters to numbers, which are 0 to one less than there are, as ml5 has it, or an array of
  /// characters in their order.
  ///
  /// - Throws: `WeightsError` naming the file when it cannot be read or is something else.
  public init(contentsOf path: String) throws {
    let text = try ConfigurationFile.text(path, "the vocabulary")
    do {
      try self.init(try JSONValue(text: text).labelsInOrder(of: "characters"))
    } catch let error as WeightsError {
      throw WeightsError(error.kind, "the vocabulary: \(error.reason)", file: path)
    } catch let error as UnsuitableVocabulary {
      throw WeightsError(.malformed, error.description, file: path)
    }
  }

  /// How many characters there are.
  public var count: Int { characters.count }

  /// The numbers of a text's characters.
  ///
  /// - Throws: ``UnknownCharacters`` naming those that the vocabulary lacks.
  public func encode(_ text: String) throws(UnknownCharacters) -> [Int] {
    let encoded = text.unicodeScalars.map { numbers[$0] }
    let known = encoded.compactMap(\.self)
    if known.count == encoded.count { return known }
    var unknown: [Unicode.Scalar] = []
    for scalar in text.unicodeScalars where numbers[scalar] == nil && !unknown.contains(scalar) {
      unknown.append(scalar)
      if unknown.count > UnknownCharacters.mostNamed { break }
    }
    throw UnknownCharacters(characters: unknown)
  }

  public func bytes(of token: Int) -> [UInt8] { Array(String(characters[token]).utf8) }

  public var endOfText: Int? { nil }
  public var unit: String { "characters" }
  public var portable: (labels: [String], settings: Settings) { (labels, [:]) }

  /// One string per character, as a portable file's labels have them.
  var labels: [String] { characters.map { String($0) } }
}

/// What was given as a vocabulary is none, or not the network's.
public struct UnsuitableVocabulary: Error, Equatable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}

/// A text has characters that a model does not know.
public struct UnknownCharacters: Error, Equatable, CustomStringConvertible {
  /// Each once, in the order of the text; of many the first ones.
  public let characters: [Unicode.Scalar]

  /// How many are named in messages.
  static let mostNamed = 8

  public var description: String {
    let named = characters.prefix(Self.mostNamed).map(\.quoted).joined(separator: ", ")
    return "the vocabulary lacks \(named)" + (characters.count > Self.mostNamed ? " and more" : "")
  }
}

extension JSONValue {
  /// The names of tokens in the order of their numbers: an object from names to numbers, or an array of names.
  ///
  /// - Parameter unit: what they are called in messages, `characters`.
  func labelsInOrder(of unit: String) throws(UnsuitableVocabulary) -> [String] {
    switch self {
    case .array(let elements):
      let labels = elements.compactMap { if case .string(let text) = $0 { text } else { nil } }
      if labels.count == elements.count { return labels }
    case .object(let members):
      var labels = [String?](repeating: nil, count: members.count)
      for (text, number) in members.sorted(by: { $0.key < $1.key }) {
        guard case .integer(let index) = number, labels.indices.contains(index), labels[index] == nil else {
          throw UnsuitableVocabulary(
            "the vocabulary's number of \"\(text.shown)\" is \(number.shortText), expected one from 0 to \(members.count - 1) that no other has"
          )
        }
        labels[index] = text
      }
      return labels.compactMap(\.self)
    default: break
    }
    throw UnsuitableVocabulary(
      "the vocabulary is neither a JSON object from \(unit) to numbers nor an array of \(unit)")
  }
}

extension Unicode.Scalar {
  /// In quotes, control characters as their numbers.
  fileprivate var quoted: String { "\"\(String(self).shown)\"" }
}
