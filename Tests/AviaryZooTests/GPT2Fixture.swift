import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport

@testable import AviaryZoo

/// What is in `Fixtures/gpt2` (see `tools/reference/gpt2_fixtures.py`), and a small model with its vocabulary.
enum GPT2Fixture {
  static func path(_ name: String) -> String {
    Bundle.module.bundleURL.appending(path: "Fixtures/gpt2/\(name)", directoryHint: .notDirectory)
      .path(percentEncoded: false)
  }

  static let file = Result { try GoldenFile(URL(filePath: path("gpt2.safetensors"))) }

  /// Few layers of few features, and all tokens of the small vocabulary.
  static func settings(positions: Int = 32) -> Settings {
    [
      "n_layer": .integer(2), "n_embd": .integer(16), "n_head": .integer(2),
      "n_positions": .integer(positions), "vocab_size": .integer(372),
    ]
  }

  static func network(positions: Int = 32, seed: UInt64 = 3) throws -> LoadedNetwork {
    let loaded = try withRandomSeed(seed) {
      try Zoo.untrainedNetwork(try Catalogue.entry("gpt2"), settings: settings(positions: positions))
    }
    for entry in loaded.network.stateEntries where entry.shape.count == 2 { entry.value = entry.value * 12 }
    return loaded.bound(to: try ByteLevelBPE(vocabulary: GPT2Fixture.path("vocab.json")))
  }

  static func model(positions: Int = 32, execution: Execution = .compiled()) throws -> LanguageModel {
    nonisolated(unsafe) let loaded = try network(positions: positions)
    return try LanguageModel(loaded, execution: execution)
  }
}
