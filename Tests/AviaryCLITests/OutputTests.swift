import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("What reaches the terminal")
struct OutputTests {
  private static let hostile = "\u{1B}]0;x\u{7}\u{1B}[31mred\u{9B}2J\u{202E}\u{2066}\r\n\tend\u{7F}"

  private func isHarmless(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { scalar in
      scalar == "\n" || scalar == " "
        || !(scalar.properties.generalCategory == .control)
          && !(0x202A...0x202E).contains(scalar.value) && !(0x2066...0x2069).contains(scalar.value)
    }
  }

  @Test("control characters and those that turn text are shown, not sent")
  func escapes() {
    #expect(
      Self.hostile.onOneLine
        == #"\u{1B}]0;x\u{7}\u{1B}[31mred\u{9B}2J\u{202E}\u{2066}\u{D}\n\u{9}end\u{7F}"#)
    #expect("Größe, naïve, 猫, 👩‍🔬, 25 %".onOneLine == "Größe, naïve, 猫, 👩‍🔬, 25 %")
    #expect(TerminalText.escaped("a\nb\n  c", newlines: .kept) == "a\nb\n  c")
    #expect(TerminalText.escaped("a\nb\n  c", newlines: .ofItems) == "a\\nb\n  c")
  }

  @Test("names in tables, paths, labels and errors")
  func commands() throws {
    try withTemporaryFolder { folder in
      #expect(aviary("draw", "digits", "\(folder)/digits", "--count", "1").status == 0)
      let weights = "\(folder)/lenet.safetensors"
      var archive = try Zoo.load("lenet").archive()
      archive.portable?.labels = (0..<10).map { "\(Self.hostile)\($0)" }
      try WeightFile.write(archive, to: weights, as: .portable)
      let path = "\(folder)/\u{1B}[2J\n\u{202E}.png"
      try FileManager.default.copyItem(atPath: "\(folder)/digits/3/3-0.png", toPath: path)
      let prediction = aviary("predict", "lenet", "--weights", weights, path)
      #expect(prediction.status == 0 && isHarmless(prediction.output), "\(prediction.errors)")
      #expect(prediction.output.split(separator: "\n").count == 6)
      let json = aviary("predict", "lenet", "--weights", weights, path, "--json").output
      #expect(isHarmless(json))
      let decoded = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]]
      #expect(decoded?.first?["image"] as? String == path)

      let named = "\(folder)/named.safetensors"
      try WeightFile.write(
        try WeightArchive([(Self.hostile, Tensor.zeros([1]))]), to: named, as: .safetensors)
      for words in [
        ["inspect", named], ["inspect", named, "--json"], ["predict", "lenet", "--weights", named, path],
      ] {
        let outcome = aviary(words)
        #expect(isHarmless(outcome.output) && isHarmless(outcome.errors))
      }
      let missing = aviary("predict", "lenet", "\u{1B}[31m\nno.png")
      #expect(isHarmless(missing.errors) && !missing.errors.contains("\n"))
      #expect(isHarmless(aviary("\u{1B}[31m").errors))
    }
  }

  @Test("JSON has null for numbers that are not finite")
  func numbers() throws {
    let text = try JSONOutput.text([Float.nan, .infinity, -.infinity, 1.5], isCompact: true)
    #expect(text == "[null,null,null,1.5]")
    #expect(try JSONOutput.text(["a": Double.nan], isCompact: true) == #"{"a":null}"#)
    #expect(try JSONOutput.text(["nan", "\u{9B}\u{202E}"], isCompact: true) == #"["nan","\u009b\u202e"]"#)
  }
}
