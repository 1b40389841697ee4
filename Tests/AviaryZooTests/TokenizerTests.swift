import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// Pairs of bytes against transformers' GPT-2 tokenizer with the same vocabulary.
@Suite("Pairs of bytes")
struct TokenizerTests {
  private struct Row: Decodable {
    let text: String?
    let tokens: [Int]
    let decoded: String
  }

  private func rows() throws -> [Row] {
    try JSONDecoder().decode(
      [Row].self, from: Data(contentsOf: URL(filePath: GPT2Fixture.path("tokens.json"))))
  }

  @Test("texts that are hard to cut have transformers' tokens, and become the same texts again")
  func reference() throws {
    let tokenizer = try ByteLevelBPE(vocabulary: GPT2Fixture.path("vocab.json"))
    let rows = try rows()
    #expect(rows.count > 90)
    for row in rows {
      if let text = row.text {
        #expect(tokenizer.encode(text) == row.tokens, "\(text.debugDescription)")
        let decoded = tokenizer.decode(row.tokens)
        #expect(Array(decoded.utf8) == Array(text.utf8), "\(text.debugDescription)")
      }
      #expect(Array(tokenizer.decode(row.tokens).utf8) == Array(row.decoded.utf8))
    }
  }

  @Test("token by token, characters come whole, and together they are the text")
  func streaming() throws {
    let tokenizer = try ByteLevelBPE(vocabulary: GPT2Fixture.path("vocab.json"))
    for row in try rows() {
      var (stream, text) = (TextStream(), "")
      for token in row.tokens {
        let piece = stream.append(tokenizer.bytes(of: token))
        // A replacement comes only where bytes can never become a character.
        if row.text?.unicodeScalars.contains("\u{FFFD}") == false {
          #expect(!piece.unicodeScalars.contains("\u{FFFD}"))
        }
        text += piece
      }
      text += stream.finish()
      #expect(Array(text.utf8) == Array(row.decoded.utf8))
    }
  }

  @Test("any bytes in any pieces are decoded as they are at once")
  func anyBytes() {
    let generator = RandomGenerator(seed: 5)
    let likely: [UInt8] = [
      0x61, 0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x99, 0x82, 0xED, 0xA0, 0xC0, 0xF5, 0x80,
    ]
    for _ in 0..<300 {
      let bytes = (0..<12).map { _ in likely[generator.integer(in: 0..<likely.count)] }
      var (stream, text) = (TextStream(), "")
      for byte in bytes { text += stream.append([byte]) }
      text += stream.finish()
      #expect(Array(text.utf8) == Array(String(decoding: bytes, as: UTF8.self).utf8), "\(bytes)")
    }
  }

  @Test("OpenAI's names of the files, line ends of Windows, and a text of one long word")
  func files() throws {
    try withTemporaryFolder { folder in
      let merges = try String(contentsOfFile: GPT2Fixture.path("merges.txt"), encoding: .utf8)
      try FileManager.default.copyItem(
        atPath: GPT2Fixture.path("vocab.json"), toPath: "\(folder)/encoder.json")
      try merges.replacingOccurrences(of: "\n", with: "\r\n").write(
        toFile: "\(folder)/vocab.bpe", atomically: true, encoding: .utf8)
      let tokenizer = try ByteLevelBPE(vocabulary: "\(folder)/encoder.json")
      let reference = try ByteLevelBPE(vocabulary: GPT2Fixture.path("vocab.json"))
      let long = String(repeating: "nothing", count: 20_000)
      let tokens = tokenizer.encode(long)
      #expect(tokens == reference.encode(long) && tokenizer.decode(tokens) == long)
      #expect(tokens.count < 100_000)
    }
  }

  /// All bytes, and `ab`.
  private static let tokens = (0...255).map { ByteAlphabet.text(of: [UInt8($0)]) } + ["ab", "abab"]

  @Test("the pair of lowest rank is merged everywhere before one that it makes possible")
  func order() throws {
    // `ab ab` is before `a b`: still both a b are merged first, since there is no ab yet.
    let tokenizer = try ByteLevelBPE(Self.tokens, merges: ["ab ab", "a b"])
    #expect(tokenizer.encode("abab") == [257])
    #expect(tokenizer.encode("ababab") == [257, 256])
    #expect(tokenizer.encode("aab") == [97, 256])
    #expect(tokenizer.endOfText == nil && tokenizer.encode("<|endoftext|>").count == 13)
  }

  @Test("damaged vocabularies are refused with a sentence")
  func refused() throws {
    func sentence(_ tokens: [String], _ merges: [String] = []) -> String {
      do {
        _ = try ByteLevelBPE(tokens, merges: merges)
        return ""
      } catch { return error.description }
    }
    #expect(sentence(Self.tokens).isEmpty)
    #expect(sentence(Array(Self.tokens.dropFirst())).contains("no token for the byte 0"))
    #expect(sentence(Self.tokens + ["ab"]).contains(#""ab" twice, as 256 and as 258"#))
    #expect(sentence(Self.tokens + ["a b"]).contains("number 258 is \"a b\""))
    #expect(sentence(Self.tokens + [""]).contains("number 258 is \"\""))
    for merge in ["a", "a b c", "a  b", "a é", "a c", "", "ab x", "日 本"] {
      #expect(sentence(Self.tokens, [merge]).contains("merge 1 is"), "\(merge)")
    }
    #expect(sentence(Self.tokens, ["a b", "a b"]).contains("merge 2, \"a b\", is there twice"))

    try withTemporaryFolder { folder in
      let path = "\(folder)/vocab.json"
      for (json, part) in [
        (#"{"a": 0"#, "the vocabulary"), ("7", "neither a JSON object from tokens"),
        (#"{"a": 0, "b": 2}"#, "expected one from 0 to 1"), (#"{"a": -1}"#, "expected one from 0 to 0"),
      ] {
        try Data(json.utf8).write(to: URL(filePath: path))
        let alone = #expect(throws: WeightsError.self) { try ByteLevelBPE(vocabulary: path) }
        #expect(alone?.description.contains("no merges.txt or vocab.bpe beside it") == true)
        try Data("#version: 0.2\na b\n".utf8).write(to: URL(filePath: "\(folder)/merges.txt"))
        let error = #expect(throws: WeightsError.self) { try ByteLevelBPE(vocabulary: path) }
        #expect(error?.description.contains(part) == true && error?.file == path, "\(json)")
        try FileManager.default.removeItem(atPath: "\(folder)/merges.txt")
      }
      #expect(throws: WeightsError.self) { try ByteLevelBPE(vocabulary: "\(folder)/none.json") }
    }
  }

  @Test("a text ends before the first of the texts at which to stop, wherever the pieces end")
  func stops() {
    func written(_ text: String, _ stops: [String]) -> (text: String, pieces: [String]) {
      var (stop, pieces) = (StopText(stops), [String]())
      for scalar in text.unicodeScalars { pieces.append(stop.append(String(scalar))) }
      pieces.append(stop.finish())
      return (pieces.joined(), pieces)
    }
    #expect(written("one two three", ["two"]).text == "one ")
    #expect(written("one twin", ["two"]).text == "one twin")
    #expect(written("aab", ["ab"]).text == "a")
    #expect(written("aabaac", ["aabaad", "c"]).text == "aabaa")
    #expect(written("xab", ["abcd", "b"]).text == "xa")
    #expect(written("x\n\ny", ["\n\n"]).text == "x")
    #expect(written("nothing", []).text == "nothing")
    #expect(written("tw", ["two"]).text == "tw")
    // What may become a stop is held back, and nothing else is.
    #expect(written("a tab", ["tw"]).pieces == ["a", " ", "", "ta", "b", ""])
    // The same letter, composed or not, is not the same text.
    #expect(written("e\u{301}x", ["é"]).text.unicodeScalars.count == 3)
  }
}
