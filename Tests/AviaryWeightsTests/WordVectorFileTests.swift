import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

@Suite("Files of word vectors") struct WordVectorFileTests {
  private let file = WordVectorFile(
    words: ["</s>", "ä", "1998"], width: 3,
    values: [0.1, -2.5e-38, .leastNonzeroMagnitude, 3, -0.0, 1e30, 0.333333343, 7, .pi])

  private func bytes(_ format: WordVectorFile.Format) throws -> [UInt8] {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("vectors").path
      try file.write(to: path, as: format)
      return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }
  }

  private func read(_ bytes: [UInt8]) throws -> WordVectorFile {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("vectors").path
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      return try WordVectorFile(contentsOf: path)
    }
  }

  @Test("both formats come back bit for bit", arguments: WordVectorFile.Format.allCases)
  func roundTrip(_ format: WordVectorFile.Format) throws {
    let found = try read(try bytes(format))
    #expect(found.words == file.words && found.width == 3)
    #expect(found.values.map(\.bitPattern) == file.values.map(\.bitPattern))
  }

  @Test("what the C program writes: spaces at line ends in text, line ends behind vectors in binary or none")
  func variants() throws {
    #expect(try read(Array("2 2\na 0.5 -1 \nb 2e-1 3 \n".utf8)).values == [0.5, -1, 0.2, 3])
    #expect(try read(Array("2 2\r\na 0.5 -1\r\nb 0.2 3\r\n".utf8)).words == ["a", "b"])
    let without = try bytes(.binary).split(separator: 0x0A, maxSplits: 1)
    let vectors = file.words.enumerated().flatMap { place, word in
      Array("\(word) ".utf8)
        + file.values[3 * place..<3 * place + 3].flatMap { value in
          withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
        }
    }
    #expect(try read(without[0] + [0x0A] + vectors).words == file.words)
  }

  @Test(
    "headers that lie, files cut off and other files",
    arguments: [
      ("", "empty"), ("3", "no first line"), ("a b\n", "first line"), ("0 3\n", "first line"),
      ("2 0\n", "first line"),
      ("-1 3\na", "first line"), ("1 2 3\na", "first line"), ("99999999999999999999 3\na", "first line"),
      ("9000000000000000000 60000\na 1 2\n", "no room"), ("2000000 300\na 1 2\n", "no room"),
      ("2 1\na 1\n", "after 1 of the 2"), ("1 1\na 1\nb 2\n", "more words than the 1"),
      ("1 2\na 1\n", "vector of 1 numbers"), ("1 1\na 1e\n", "where a number is expected"),
      ("1 1\na \u{1}\u{2}", "makes no sense"), ("1 1\na \u{1}\u{2}\u{3}\u{4}\nmore", "bytes follow"),
      ("1 1\n\(String(repeating: "x", count: 5000)) \u{1}\u{2}\u{3}\u{4}", "makes no sense"),
    ])
  func hostile(_ text: String, _ message: String) throws {
    let start = ContinuousClock.now
    let error = #expect(throws: WeightsError.self) { try read(Array(text.utf8)) }
    #expect(ContinuousClock.now - start < .seconds(5))
    #expect(error?.file != nil && error?.reason.contains(message) == true, "\(String(describing: error))")
  }

  @Test(
    "every cut and every changed byte is read or refused, by name", arguments: WordVectorFile.Format.allCases)
  func damaged(_ format: WordVectorFile.Format) throws {
    let whole = try bytes(format)
    for length in 0..<whole.count - 1 {
      // Text may lack the end of its last number and be text still.
      if format == .binary || length < whole.count - 12 {
        #expect(throws: WeightsError.self, "\(length)") { try read(Array(whole.prefix(length))) }
      }
    }
    for place in whole.indices {
      for change: UInt8 in [0x01, 0x20, 0x80, 0xFF] {
        var changed = whole
        changed[place] ^= change
        do {
          let found = try read(changed)
          #expect(found.values.count == found.words.count * found.width)
        } catch let error as WeightsError {
          #expect(error.file != nil)
        }
      }
    }
  }
}
