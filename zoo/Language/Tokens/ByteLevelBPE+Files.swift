import AviaryWeights
import Foundation

extension ByteLevelBPE {
  /// The members of `task_settings` that are its own.
  static let settingNames = ["merges"]

  /// From what a portable file says; throws ``UnsuitableVocabulary`` when that makes no sense.
  init(labels: [String], settings: Settings) throws(UnsuitableVocabulary) {
    guard case .array(let values)? = settings["merges"] else {
      throw UnsuitableVocabulary(
        "nothing says which pairs of the vocabulary's \(labels.count) tokens are merged")
    }
    let merges = values.compactMap { if case .string(let text) = $0 { text } else { nil } }
    guard merges.count == values.count else {
      throw UnsuitableVocabulary("the merges are no list of texts")
    }
    try self.init(labels, merges: merges)
  }

  public var portable: (labels: [String], settings: Settings) {
    let texts = (0..<count).map { ByteAlphabet.text(of: bytes(of: $0)) }
    let merges = pairs.map { JSONValue.string("\(texts[$0.first]) \(texts[$0.second])") }
    return (
      texts,
      [TokenizerKind.setting: .string(TokenizerKind.byteLevelBPE.rawValue), "merges": .array(merges)]
    )
  }

  /// Reads GPT-2's two files: `vocab.json`, an object from tokens to numbers, which are 0 to one less than there are, and beside it `merges.txt`,
  /// a line for each pair in the order in which they were merged. OpenAI calls them `encoder.json` and `vocab.bpe`.
  ///
  /// - Parameters:
  ///   - path: of the first.
  ///   - merges: of the second; that which lies beside the first where nil.
  /// - Throws: `WeightsError` naming the file that cannot be read or is something else.
  public init(vocabulary path: String, merges: String? = nil) throws {
    let text = try ConfigurationFile.text(path, "the vocabulary")
    guard let merges = merges ?? Self.merges(beside: path) else {
      throw WeightsError(
        .unreadable, "the vocabulary has no \(Self.mergeFiles.joined(separator: " or ")) beside it",
        file: path)
    }
    let lines = Self.lines(of: try ConfigurationFile.text(merges, "the merges"))
    do {
      try self.init(try JSONValue(text: text).labelsInOrder(of: "tokens"), merges: lines)
    } catch let error as WeightsError {
      throw WeightsError(error.kind, "the vocabulary: \(error.reason)", file: path)
    } catch let error as UnsuitableVocabulary {
      throw WeightsError(.malformed, "\(error.description), with \(merges)", file: path)
    }
  }

  private static let mergeFiles = ["merges.txt", "vocab.bpe"]

  private static func merges(beside path: String) -> String? {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    return mergeFiles.map { folder.appendingPathComponent($0).path }.first {
      FileManager.default.fileExists(atPath: $0)
    }
  }

  /// The lines of a file of merges, without its version and what is empty at the end.
  private static func lines(of text: String) -> [String] {
    // Windows' line ends are one character in Swift, and two scalars.
    var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      String(line.last == "\r" ? line.dropLast() : line)
    }
    if lines.first?.hasPrefix("#version") == true { lines.removeFirst() }
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines
  }
}
