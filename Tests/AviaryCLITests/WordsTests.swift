import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Words from the command line")
struct WordsTests {
  private func sentence(_ words: String...) -> String {
    let outcome = aviary(words)
    #expect(outcome.status != 0 && !outcome.errors.contains("\n"), "\(outcome.errors)")
    return outcome.errors
  }

  @Test("vectors are learned, converted, and answer")
  func vectors() throws {
    try withTemporaryFolder { folder in
      let text = "\(folder)/text.txt"
      let lines = String(
        repeating: "salt bread oven\nsail ship sea\nbread oven salt\nsea sail ship\n", count: 80)
      try lines.write(toFile: text, atomically: true, encoding: .utf8)
      let vectors = "\(folder)/v.bin"
      let trained = aviary(
        "words", "train", text, "--output", vectors, "--width", "8", "--sample", "0", "--epochs", "100")
      #expect(trained.status == 0 && trained.output.contains("6 words, vectors of 8"), "\(trained.errors)")
      let nearest = aviary("words", "nearest", vectors, "bread", "--count", "2")
      #expect(nearest.output.split(separator: "\n").first?.hasSuffix("  oven") == true, "\(nearest.output)")
      let converted = aviary("words", "convert", vectors, "--output", "\(folder)/v.txt")
      #expect(converted.status == 0, "\(converted.errors)")
      #expect(aviary("words", "nearest", "\(folder)/v.txt", "bread", "--count", "2").output == nearest.output)
      let analogy = aviary("words", "analogy", vectors, "salt", "bread", "sea", "--json")
      #expect(analogy.output.contains("\"similarity\""), "\(analogy.errors)")
      #expect(sentence("words", "nearest", vectors, "Bread").contains("did you mean bread?"))
      #expect(sentence("words", "nearest", text, "bread").contains("text.txt: the first line"))
      #expect(
        sentence("words", "train", text, "--output", vectors, "--least", "1000").contains("no word is there"))
      #expect(sentence("words", "nearest", vectors).contains("usage"))
      #expect(sentence("words", "nearest", vectors, "sea", "--width", "3").contains("--width goes not"))
      #expect(sentence("words", "guess").contains("search, not 'guess'"))
    }
  }

  @Test("lines of a file, or files, are found by their words")
  func search() throws {
    try withTemporaryFolder { folder in
      let (a, b) = ("\(folder)/a.txt", "\(folder)/b.txt")
      try "the cat sat\n\nthe dog ran\nthe end\n".write(toFile: a, atomically: true, encoding: .utf8)
      try "a cat ran".write(toFile: b, atomically: true, encoding: .utf8)
      let lines = aviary("words", "search", "Dog", a)
      #expect(
        lines.output.hasSuffix(":3  the dog ran") && lines.status == 0, "\(lines.output) \(lines.errors)")
      let files = aviary("words", "search", "dog horse", a, b)
      #expect(files.output.contains("a.txt") && files.errors.contains("no text has 'horse'"))
      let json = aviary("words", "search", "cat", a, b, "--lines", "--json")
      let found = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]]
      #expect(found?.count == 2 && found?.first?["line"] as? Int == 1)
      #expect(sentence("words", "search", "cat", "\(folder)/none").contains("none"))
    }
  }
}
