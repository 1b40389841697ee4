import Aviary
import Foundation
import Testing

@testable import AviaryCLI
@testable import AviaryZoo

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

  @Test("texts at which to stop, the probability that counts, and beams")
  func ways() throws {
    try withModel { folder, weights in
      let words = [
        "write", "charrnn", "--weights", weights, "--vocabulary", "\(folder)/characters.json", "--prompt",
        "xxy", "--length", "40",
      ]
      let whole = aviary(words).output
      let text = whole.dropFirst(3)
      let end = text.dropFirst(10).prefix(2)
      let stopped = aviary(words + ["--stop", String(end), "--stop", "zz"])
      let expected = try #require(text.firstRange(of: end))
      #expect(stopped.output == "xxy" + text[..<expected.lowerBound])
      #expect(aviary(words + ["--top-p", "0.000001"]).output == aviary(words + ["--greedy"]).output)
      #expect(aviary(words + ["--beam", "1"]).output == aviary(words + ["--greedy"]).output)
      let beam = aviary(words + ["--beam", "3", "--normalize"])
      #expect(beam.status == 0 && beam.output.unicodeScalars.count == 43)
      for (more, part) in [
        (["--beam", "2", "--seed", "1"], "--seed goes not with --beam"),
        (["--normalize"], "with --beam alone"),
        (["--greedy", "--top-p", "0.5"], "--top-p goes not with --greedy"),
        (["--top-p", "0"], "--top-p takes"),
        (["--stop", ""], "--stop has an empty value"),
      ] {
        let refused = aviary(words + more)
        #expect(refused.status == 2 && refused.errors.contains(part), "\(refused.errors)")
      }
    }
  }

  @Test("GPT-2 from a checkpoint with its files beside it: converted, it writes and is measured on its own")
  func pairsOfBytes() throws {
    try withTemporaryFolder { folder in
      let tokens = (0...255).map { ByteAlphabet.text(of: [UInt8($0)]) } + ["th", "the", "<|endoftext|>"]
      let numbers = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($1, $0) })
      try JSONEncoder().encode(numbers).write(to: URL(filePath: "\(folder)/vocab.json"))
      try Data("#version: 0.2\nt h\nth e\n".utf8).write(to: URL(filePath: "\(folder)/merges.txt"))
      let settings: Settings = [
        "n_layer": .integer(1), "n_embd": .integer(64), "n_positions": .integer(24),
        "vocab_size": .integer(259), "n_head": .integer(1),
      ]
      let weights = "\(folder)/model.safetensors"
      try withRandomSeed(1) {
        let loaded = try Zoo.untrainedNetwork(try Catalogue.entry("gpt2"), settings: settings)
        for entry in loaded.network.stateEntries where entry.shape.count == 2 {
          entry.value = entry.value * 10
        }
        try WeightFile.write(try loaded.archive(), to: weights, as: .safetensors)
      }
      let portable = "\(folder)/elsewhere.safetensors"
      let converted = aviary("convert", weights, portable, "--model", "gpt2", "--check")
      #expect(converted.status == 0, "\(converted.errors)")
      try FileManager.default.removeItem(atPath: "\(folder)/vocab.json")
      let words = ["gpt2", "--weights", portable]
      let written = aviary(["write"] + words + ["--prompt", "the the é", "--length", "30", "--seed", "3"])
      #expect(written.status == 0 && written.output.hasPrefix("the the é"), "\(written.errors)")

      let text = "\(folder)/text.txt"
      try Data(String(repeating: "the then these — ", count: 12).utf8).write(to: URL(filePath: text))
      func evaluated(_ more: String...) -> (status: Int32, output: String, errors: String) {
        let outcome = aviary(["evaluate"] + words + ["--data", text] + more)
        return (outcome.status, outcome.output, outcome.errors)
      }
      let plain = evaluated()
      #expect(plain.status == 0 && plain.output.contains("nats per token, perplexity"), "\(plain.errors)")
      #expect(plain.output.contains("bits per byte") && evaluated("--stride", "12").output == plain.output)
      #expect(evaluated("--stride", "24").output != plain.output)
      #expect(evaluated("--stride", "25").errors.contains("from 1 to 24"))
      let taught = "\(folder)/taught.safetensors"
      let finetuned = aviary(
        ["finetune"] + words + [
          "--data", text, "--output", taught, "--length", "16", "--batch", "2", "--epochs", "2",
          "--learning-rate", "0.01", "--validation", "0.3", "--json",
        ])
      #expect(finetuned.status == 0, "\(finetuned.errors)")
      let reports = try JSONSerialization.jsonObject(with: Data(finetuned.output.utf8)) as? [[String: Any]]
      let losses = reports?.compactMap { ($0["validation"] as? [String: Any])?["loss"] as? Double } ?? []
      #expect(losses.count == 2 && losses[1] < losses[0], "\(losses)")
      let long = aviary(
        ["finetune"] + words + ["--data", text, "--output", taught, "--length", "25", "--batch", "2"])
      #expect(long.status == 1 && long.errors.contains("T of 24 at most"), "\(long.errors)")
      for (content, part) in [
        (Data(), "2 tokens at least"), (Data("t".utf8), "2 tokens at least"),
        (Data([0x61, 0xFF]), "no text in UTF-8"),
      ] {
        try content.write(to: URL(filePath: text))
        let refused = evaluated()
        #expect(refused.status != 0 && refused.errors.contains(part), "\(refused.errors)")
      }
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
