import Aviary
import Foundation
import Testing

@testable import AviaryCLI
@testable import AviaryZoo

/// Texts, vocabularies and vectors that are empty, short, long, of other encodings or damaged: each command says in one sentence what is wrong.
@Suite("Texts at the edge from the command line")
struct TextEdgeTests {
  /// What the program says of words that it refuses.
  private func sentence(_ words: [String], _ place: SourceLocation = #_sourceLocation) -> String {
    let outcome = aviary(words)
    #expect(
      outcome.status != 0 && !outcome.errors.isEmpty && !outcome.errors.contains("\n"),
      "\(outcome.status) \(outcome.errors)", sourceLocation: place)
    return outcome.errors
  }

  private func withFiles(_ body: (_ folder: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      for (name, bytes) in [
        ("empty.txt", []), ("one.txt", Array("R".utf8)), ("latin.txt", [0x52, 0xE4, 0x0A, 0x52]),
        ("unknown.txt", Array("RO€".utf8)), ("broken.json", Array(#"{"a": 0, "b""#.utf8)),
        ("broken.pkl", [0x80, 2, 0x7D, 0x58, 9, 0, 0, 0, 0x61]),
        ("long.txt", Array(String(repeating: "ROMEO: ", count: 60).utf8)),
      ] as [(String, [UInt8])] {
        try Data(bytes).write(to: URL(filePath: "\(folder)/\(name)"))
      }
      try body(folder)
    }
  }

  @Test("write: nothing, one character, many, and unknown ones")
  func write() throws {
    let words = ["write", "charrnn_shakespeare", "--length", "3", "--greedy", "--prompt"]
    #expect(sentence(words + [""]).contains("prompt"))
    #expect(sentence(words + ["RO€"]).contains(#"lacks "€""#))
    #expect(aviary(words + ["R"]).output.unicodeScalars.count == 4)
    let long = String(repeating: "ROMEO: ", count: 60)
    #expect(aviary(words + [long]).output.hasPrefix(long))
    try withFiles { folder in
      #expect(sentence(words + ["R", "--vocabulary", "\(folder)/broken.json"]).contains("broken.json"))
    }
  }

  @Test("evaluate: texts, pairs of texts, and captions")
  func evaluate() throws {
    try withFiles { folder in
      let words = ["evaluate", "charrnn_shakespeare", "--data"]
      #expect(sentence(words + ["\(folder)/empty.txt"]).contains("2 characters at least"))
      #expect(sentence(words + ["\(folder)/one.txt"]).contains("2 characters at least"))
      #expect(sentence(words + ["\(folder)/latin.txt"]).contains("no text in UTF-8"))
      #expect(sentence(words + ["\(folder)/unknown.txt"]).contains(#"lacks "€""#))
      #expect(sentence(words + ["\(folder)/none.txt"]).contains("none.txt cannot be read"))
      #expect(aviary(words + ["\(folder)/long.txt"]).output.contains("on 419 characters"))

      let pairs = ["evaluate", "translate_dates", "--data"]
      #expect(sentence(pairs + ["\(folder)/empty.txt"]).contains("empty.txt"))
      #expect(sentence(pairs + ["\(folder)/latin.txt"]).contains("UTF-8"))
      #expect(sentence(pairs + ["\(folder)/one.txt"]).contains("line 1 is not a text, a tab"))
      let long = String(repeating: "3", count: 60)
      try Data("3 May 1998\t1998-05-03\n\(long)\t1998\n3.5.98 €\t1998-05-03\n5/3/98\t1998-05-03\n".utf8)
        .write(to: URL(filePath: "\(folder)/pairs.txt"))
      let outcome = aviary(pairs + ["\(folder)/pairs.txt"])
      #expect(outcome.status == 0 && outcome.output.contains("on 4 texts, 2 of which are too long"))
      #expect(outcome.output.contains("0.5000 exact"), "\(outcome.output)")

      let captions = ["caption", "captioner_scenes", "\(folder)/none.png", "--vocabulary"]
      for name in ["broken.json", "broken.pkl", "empty.txt", "latin.txt"] {
        #expect(sentence(captions + ["\(folder)/\(name)"]).contains(name), "\(name)")
      }
    }
  }

  @Test("translate: one character is a guess, and a file whose characters are damaged is refused")
  func translate() throws {
    let guess = aviary("translate", "translate_dates", "3")
    #expect(guess.status == 0 && guess.errors.contains("'3': a guess"))
    try withFiles { folder in
      var loaded = try Zoo.network("translate_dates")
      loaded.metadata.labels?.swapAt(0, 5)
      let file = "\(folder)/other.safetensors"
      try loaded.save(to: file)
      #expect(
        sentence(["translate", "translate_dates", "3 May 1998", "--weights", file]).contains("<start>"))
    }
  }

  @Test("words: texts and vectors that are none")
  func words() throws {
    try withFiles { folder in
      let output = "\(folder)/v.bin"
      for name in ["empty.txt", "latin.txt"] {
        #expect(sentence(["words", "train", "\(folder)/\(name)", "--output", output]).contains(name))
        #expect(sentence(["words", "search", "a", "\(folder)/\(name)"]).contains(name))
      }
      #expect(
        sentence(["words", "train", "\(folder)/one.txt", "--output", output]).contains("no word is there"))
      try Data("2 3\nsea ".utf8 + [0, 0, 128]).write(to: URL(filePath: output))
      #expect(sentence(["words", "nearest", output, "sea"]).contains("v.bin"))
      #expect(sentence(["words", "nearest", "\(folder)/empty.txt", "sea"]).contains("empty.txt"))
    }
  }
}
