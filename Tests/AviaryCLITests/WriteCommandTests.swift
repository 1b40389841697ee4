import Aviary
import Foundation
import Testing

@testable import AviaryCLI

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite("Text from the command line")
struct WriteCommandTests {
  /// First values of a model of three characters, and a file of those.
  private func withModel(_ body: (_ folder: String, _ weights: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let weights = "\(folder)/small.npz"
      let settings: Settings = [
        "vocabulary": .integer(3), "width": .integer(8), "embedding": .integer(4),
      ]
      try withRandomSeed(1) {
        let loaded = try Zoo.untrainedNetwork(try Catalogue.entry("charrnn"), settings: settings)
        try WeightFile.write(try loaded.archive(), to: weights, as: .npz)
      }
      try Data(#"{"x": 0, "y": 2, "\n": 1}"#.utf8).write(to: URL(filePath: "\(folder)/characters.json"))
      try body(folder, weights)
    }
  }

  @Test("the prompt and what follows it, as text and as JSON, the same for the same seed")
  func write() throws {
    try withModel { folder, weights in
      let words = [
        "write", "charrnn", "--weights", weights, "--vocabulary", "\(folder)/characters.json", "--prompt",
        "xxy", "--length", "40",
      ]
      let outcome = aviary(words)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      #expect(outcome.output.hasPrefix("xxy") && outcome.output.unicodeScalars.count == 43)
      #expect(aviary(words).output == outcome.output)
      #expect(aviary(words + ["--seed", "1"]).output != outcome.output)
      let json =
        try JSONSerialization.jsonObject(
          with: Data(aviary(words + ["--json"]).output.utf8)) as? [String: Any]
      #expect("xxy\(json?["text"] as? String ?? "")" == outcome.output)
      #expect(aviary(words + ["--top-k", "1"]).output == aviary(words + ["--greedy"]).output)
    }
  }

  @Test("what cannot be written or read is told in a sentence")
  func refused() throws {
    try withModel { folder, weights in
      func sentence(_ words: String...) -> String {
        let outcome = aviary(words)
        #expect(outcome.status != 0 && outcome.output.isEmpty && !outcome.errors.contains("\n"))
        return outcome.errors
      }
      let vocabulary = "\(folder)/characters.json"
      #expect(sentence("write", "charrnn", "--weights", weights, "--prompt", "x").contains("--vocabulary"))
      #expect(
        sentence("write", "charrnn", "--weights", weights, "--vocabulary", vocabulary, "--prompt", "xaz")
          .contains(#"lacks "a", "z""#))
      #expect(
        sentence(
          "write", "charrnn", "--weights", weights, "--vocabulary", vocabulary, "--prompt", "x", "--greedy",
          "--top-k", "2"
        ).contains("--top-k goes not with --greedy"))
      #expect(
        sentence("write", "charrnn", "--weights", weights, "--vocabulary", weights, "--prompt", "x").contains(
          "small.npz: the vocabulary"))
      #expect(sentence("write", "charrnn", "--weights", weights).contains("--prompt is missing"))
      #expect(sentence("write", "unet", "--prompt", "x").contains("unet segments: aviary segment"))

      try Data("xyx\nzz".utf8).write(to: URL(filePath: "\(folder)/text.txt"))
      let words = ["evaluate", "charrnn", "--weights", weights, "--vocabulary", vocabulary, "--data"]
      #expect(aviary(words + ["\(folder)/text.txt"]).errors.contains(#"lacks "z""#))
      let some = aviary(words + ["\(folder)/text.txt", "--limit", "4"])
      #expect(some.status == 0 && some.output.hasSuffix("on 3 characters"), "\(some.errors)")
      #expect(aviary(words + [folder]).status == 2)
      #expect(aviary(words + ["\(folder)/text.txt", "--batch", "3"]).errors.contains("--batch goes not"))
    }
  }

  @Test("run gives logits and both states for tokens of the command line, and refuses those out of range")
  func run() throws {
    try withModel { folder, weights in
      let output = "\(folder)/out.npz"
      let words = ["run", "charrnn", "--weights", weights, "--output", output, "--set"]
      #expect(aviary(words + ["tokens=0,1,2"]).status == 0)
      let archive = try WeightFile.open(output).archive
      #expect(archive.names == ["logits", "hidden", "cell"])
      #expect(archive.spec("logits")?.shape == [1, 3, 3] && archive.spec("cell")?.shape == [2, 1, 8])
      let outside = aviary(words + ["tokens=0,3"])
      #expect(outside.status == 1 && outside.errors.contains("tokens is 3 in one place"))
    }
  }

  @Test(
    "TensorFlow's variables are known, become a portable file and write Shakespeare",
    .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
  func shakespeare() throws {
    let assets = try #require(assets)
    let weights = "\(assets)/weights/charrnn_shakespeare_tf.h5"
    #expect(aviary("inspect", weights).output.contains("model: charrnn"))
    try withTemporaryFolder { folder in
      let portable = "\(folder)/x.safetensors"
      let converted = aviary("convert", weights, portable, "--check")
      #expect(converted.status == 0 && converted.output.contains("11 tensors read back bit-equal"))
      #expect(converted.output.contains("no vocabulary beside the weights"))
      for file in [weights, portable] {
        let written = aviary(
          "write", "charrnn", "--weights", file, "--prompt", "The ", "--length", "58", "--greedy")
        #expect(written.output == "The t offis on the world as the world as the world and the sea")
      }
    }
  }
}
