import Aviary
import Foundation
import Testing

@testable import AviaryCLI

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite("Training on texts from the command line")
struct LanguageTrainingTests {
  @Test("a recipe learns a text of other characters, and the file that it writes says them")
  func train() throws {
    try withTemporaryFolder { folder in
      let text = "\(folder)/text.txt"
      try String(repeating: "schöne Füchse laufen schnell, faule Hunde schlafen.\n", count: 860)
        .write(toFile: text, atomically: true, encoding: .utf8)
      let weights = "\(folder)/small.safetensors"
      let outcome = aviary(
        "train", "charrnn_shakespeare", "--data", text, "--epochs", "1", "--output", weights, "--report",
        "\(folder)/page.html")
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("fill no batch") && outcome.output.contains("nats per character"))
      let written = aviary(
        "write", "charrnn_shakespeare", "--weights", weights, "--prompt", "schö", "--greedy")
      #expect(written.status == 0 && written.output.hasPrefix("schö"), "\(written.errors)")
      let loaded = try Zoo.network("charrnn_shakespeare", weights: weights)
      #expect(loaded.metadata.labels?.contains("ü") == true && loaded.metadata.metrics?["accuracy"] != nil)
      let page = try String(contentsOfFile: "\(folder)/page.html", encoding: .utf8)
      #expect(page.contains("charrnn_shakespeare"))

      try "short".write(toFile: text, atomically: true, encoding: .utf8)
      let short = aviary("train", "charrnn_shakespeare", "--data", text, "--output", weights)
      #expect(short.status == 1 && short.errors.contains("5 tokens"), "\(short.errors)")
      try Data([0x61, 0xFF]).write(to: URL(filePath: text))
      let broken = aviary("train", "charrnn_shakespeare", "--data", text, "--output", weights)
      #expect(broken.status == 1 && broken.errors.contains("UTF-8"), "\(broken.errors)")
    }
  }

  @Test("another text is learned in the characters that the weights know, and frozen parts stay as they are")
  func finetune() throws {
    try withTemporaryFolder { folder in
      let (text, weights) = ("\(folder)/text.txt", "\(folder)/x.safetensors")
      try String(repeating: "the quick brown fox jumps over the lazy dog. ", count: 60)
        .write(toFile: text, atomically: true, encoding: .utf8)
      let words = [
        "finetune", "charrnn_shakespeare", "--data", text, "--output", weights, "--epochs", "2", "--length",
        "24", "--batch", "4", "--learning-rate", "0.01",
      ]
      let outcome = aviary(words + ["--freeze", "embedding.*", "--report", "\(folder)/page.html"])
      #expect(outcome.status == 0 && outcome.output.contains("270 at the end"), "\(outcome.errors)")
      func nats(_ more: [String]) throws -> Double {
        let told = aviary(["evaluate", "charrnn_shakespeare", "--data", text, "--json"] + more)
        let report = try JSONSerialization.jsonObject(with: Data(told.output.utf8)) as? [String: Any]
        return try #require(report?["nats"] as? Double, "\(told.errors)")
      }
      #expect(try nats(["--weights", weights]) < 0.6 * nats([]))
      let (old, new) = (
        try Zoo.network("charrnn_shakespeare"), try Zoo.network("charrnn_shakespeare", weights: weights)
      )
      for (one, other) in zip(old.network.stateEntries, new.network.stateEntries) {
        let isSame = one.value.cast(to: .float32).values() == other.value.cast(to: .float32).values()
        #expect(isSame == one.name.hasPrefix("embedding"), "\(one.name)")
      }
      #expect(new.metadata.labels == old.metadata.labels)
      try "ü".write(toFile: text, atomically: true, encoding: .utf8)
      #expect(aviary(words).errors.contains("lacks \"ü\""))
      try "short".write(toFile: text, atomically: true, encoding: .utf8)
      #expect(aviary(words).errors.contains("5 tokens"))
      #expect(aviary(words + ["--sanity"]).errors.contains("--sanity goes not with"))
    }
  }

  @Test("the model of Shakespeare that comes with the zoo writes at once")
  func shipped() {
    let outcome = aviary(
      "write", "charrnn_shakespeare", "--prompt", "ROMEO:\n", "--length", "60", "--seed", "1")
    #expect(outcome.status == 0 && outcome.output.hasPrefix("ROMEO:\n"), "\(outcome.errors)")
    #expect(outcome.output.unicodeScalars.count == 67)
    let unknown = aviary("write", "charrnn_shakespeare", "--prompt", "ö")
    #expect(unknown.status == 1 && unknown.errors.contains("lacks"))
  }

  @Test(
    "its card's nats per character, on the end of the text that it did not learn",
    .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
  func heldOut() throws {
    let text = try TextFile.text(contentsOf: "\(try #require(assets))/data/text/tinyshakespeare.txt")
    let scalars = text.unicodeScalars
    let held = Int(Float(scalars.count) * 0.05)
    let model = try Zoo.load(LanguageModel.self, "charrnn_shakespeare")
    let likelihood = try model.negativeLogLikelihood(
      of: String(String.UnicodeScalarView(scalars.suffix(held))))
    let metrics = try #require(try Catalogue.entry("charrnn_shakespeare").card().weights[0].metrics)
    #expect(abs(Double(likelihood.nats) - (metrics["nats_per_character"] ?? 0)) < 1e-3)
    #expect(abs(Double(likelihood.accuracy) - (metrics["accuracy"] ?? 0)) < 1e-3)
  }
}
