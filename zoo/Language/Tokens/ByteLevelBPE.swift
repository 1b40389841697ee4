import AviaryWeights

/// GPT-2's tokens (Radford et al. 2019, section 2.2): a text is cut into words, a word into its bytes, and of neighbours the pair that was merged
/// first when the vocabulary was made becomes one, until there is none (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with
/// Subword Units").
///
/// Every byte is a token, so that there is one for every text.
public struct ByteLevelBPE: Tokenizer {
  /// The bytes of each token, in the order of their numbers.
  private let tokens: [[UInt8]]
  /// Of each byte.
  private let byteTokens: [Int]
  /// The merges in the order in which they were found.
  let pairs: [Pair]
  /// What pairs become, and how early.
  private let ranks: [Pair: (rank: Int, token: Int)]
  public let endOfText: Int?
  public var count: Int { tokens.count }
  public var unit: String { "tokens" }

  /// Two tokens beside each other.
  struct Pair: Hashable {
    let first: Int
    let second: Int
  }

  /// The token that stands between the texts that GPT-2 learned from.
  static let endMark = "<|endoftext|>"

  /// - Parameters:
  ///   - tokens: in the order of their numbers, their bytes written as ``ByteAlphabet`` has it; ``endMark`` may be among them.
  ///   - merges: two tokens with a space between them each, in the order in which they were found.
  /// - Throws: ``UnsuitableVocabulary`` where a token is there twice or is not so written, a byte has no token, or a merge is none.
  public init(_ tokens: [String], merges: [String]) throws(UnsuitableVocabulary) {
    var (spelled, numbers): ([[UInt8]], [[UInt8]: Int]) = ([], [:])
    for (number, text) in tokens.enumerated() {
      guard let bytes = ByteAlphabet.bytes(of: text), !bytes.isEmpty else {
        throw UnsuitableVocabulary(
          "the vocabulary's number \(number) is \"\(text.shown)\", which is not how bytes are written there")
      }
      if let other = numbers.updateValue(number, forKey: bytes) {
        throw UnsuitableVocabulary("the vocabulary has \"\(text.shown)\" twice, as \(other) and as \(number)")
      }
      spelled.append(bytes)
    }
    var byteTokens: [Int] = []
    for byte in UInt8.min...UInt8.max {
      guard let number = numbers[[byte]] else {
        throw UnsuitableVocabulary("the vocabulary has no token for the byte \(byte)")
      }
      byteTokens.append(number)
    }
    var (pairs, ranks): ([Pair], [Pair: (rank: Int, token: Int)]) = ([], [:])
    for (rank, text) in merges.enumerated() {
      let parts = text.unicodeScalars.split(separator: " ", omittingEmptySubsequences: false).map {
        String($0)
      }
      let bytes = parts.compactMap(ByteAlphabet.bytes(of:))
      guard bytes.count == 2, parts.count == 2, let first = numbers[bytes[0]], let second = numbers[bytes[1]],
        let token = numbers[bytes[0] + bytes[1]]
      else {
        throw UnsuitableVocabulary(
          "merge \(rank + 1) is \"\(text.shown)\", expected two tokens of the vocabulary that make a third")
      }
      let pair = Pair(first: first, second: second)
      guard ranks.updateValue((rank, token), forKey: pair) == nil else {
        throw UnsuitableVocabulary("merge \(rank + 1), \"\(text.shown)\", is there twice")
      }
      pairs.append(pair)
    }
    self.tokens = spelled
    self.byteTokens = byteTokens
    self.pairs = pairs
    self.ranks = ranks
    endOfText = numbers[Array(Self.endMark.utf8)]
  }

  public func bytes(of token: Int) -> [UInt8] { tokens[token] }

  public func encode(_ text: String) -> [Int] {
    // Most words of a text are in it more than once.
    var known: [[UInt8]: [Int]] = [:]
    var result: [Int] = []
    var rest = text.unicodeScalars[...]
    while !rest.isEmpty {
      let end = endOfText == nil ? nil : rest.firstRange(of: Self.endMark.unicodeScalars)
      for word in PairWords(rest[..<(end?.lowerBound ?? rest.endIndex)]) {
        let bytes = Array(Substring(word).utf8)
        let tokens = known[bytes] ?? merged(bytes)
        known[bytes] = tokens
        result += tokens
      }
      guard let end, let endOfText else { break }
      result.append(endOfText)
      rest = rest[end.upperBound...]
    }
    return result
  }

  private func merged(_ word: [UInt8]) -> [Int] {
    var merging = PairMerging(word.map { byteTokens[Int($0)] }, ranks)
    return merging.merged()
  }
}
