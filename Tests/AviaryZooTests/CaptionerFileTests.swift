import AviaryTensors
import AviaryWeights
import Foundation
import Testing

@testable import AviaryZoo

/// Files as public captioners leave them (`tools/reference/captioner_file_fixtures.py`).
@Suite("Captioners' files")
struct CaptionerFileTests {
  private static let words = [
    "<pad>", "<start>", "<end>", "<unk>", "a", "'s", "café", "über€", "dog\\", "😀",
  ]

  private func path(_ name: String) throws -> String {
    try #require(
      Bundle.module.url(
        forResource: name, withExtension: nil, subdirectory: "Fixtures/captioner_files")
    ).path
  }

  @Test(
    "whole modules in a dictionary are read as a state dictionary, with the word map beside them",
    arguments: ["BEST_checkpoint_small.pth.tar", "BEST_checkpoint_small_legacy.pth.tar"])
  func modules(_ name: String) throws {
    let loaded = try Zoo.network("show_attend_tell", weights: try path(name))
    #expect(loaded.settings["encoder"] == .string("resnet18"))
    #expect(loaded.settings["vocab_size"] == .integer(10) && loaded.settings["attention_dim"] == .integer(8))
    #expect(loaded.metadata.labels == Self.words)
    let data = try Data(contentsOf: URL(fileURLWithPath: try path("expected.json")))
    let expected = try JSONDecoder().decode([String: Float].self, from: data)
    for entry in loaded.network.stateEntries where !entry.name.hasSuffix("num_batches_tracked") {
      let number = try #require(expected[entry.name], "\(entry.name)")
      let values = entry.value.values()
      #expect(values.allSatisfy { $0 == number }, "\(entry.name)")
    }
  }

  @Test(
    "words are read from pickles of both Pythons and from a dictionary alone",
    arguments: ["vocab.pkl", "vocab2.pkl", "words.pkl"])
  func pickledWords(_ name: String) throws {
    let vocabulary = try WordVocabulary(contentsOf: try path(name))
    #expect(vocabulary.words == Self.words)
    #expect(vocabulary.start == 1 && vocabulary.padding == 0)
  }

  @Test("a pickle beside the weights of Show and Tell gives it its words")
  func companion() throws {
    try withTemporaryFolder { folder in
      let loaded = try Zoo.untrainedNetwork(
        try Catalogue.entry("show_and_tell"),
        settings: [
          "encoder": .string("resnet18"), "vocab_size": .integer(Self.words.count), "embed_size": .integer(8),
          "hidden_size": .integer(8),
        ])
      let weights = "\(folder)/weights.safetensors"
      try WeightFile.write(try loaded.network.archive(), to: weights, as: .safetensors)
      try FileManager.default.copyItem(atPath: try path("vocab.pkl"), toPath: "\(folder)/vocab.pkl")
      #expect(try Zoo.network("show_and_tell", weights: weights).metadata.labels == Self.words)
    }
  }

  @Test(
    "a damaged pickle, one of other things, and one whose two halves differ are typed errors that name the file"
  )
  func damaged() throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: try path("vocab.pkl")))
    try withTemporaryFolder { folder in
      let file = "\(folder)/vocab.pkl"
      func error(_ bytes: some Sequence<UInt8>) throws -> WeightsError? {
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        let error = #expect(throws: WeightsError.self) { try WordVocabulary(contentsOf: file) }
        #expect(error?.file == file)
        return error
      }
      for count in stride(from: 1, to: whole.count, by: 7) { _ = try error(whole.prefix(count)) }
      #expect(try error([0x80, 2, UInt8(ascii: "K"), 7, UInt8(ascii: ".")])?.kind == .unsupported)
      // The number of "a" in the second dictionary.
      var other = Array(whole)
      let place = try #require(other.lastIndex(of: 4))
      other[place] = 5
      _ = try error(other)
      let twice = "(dS'<pad>'\nI0\nsS'a'\nI0\ns."
      #expect(try error(twice.utf8)?.kind == .malformed)
      // Lists that hold each other a thousand times, and one that grows without end.
      let hostile = "(lp0\n" + String(repeating: "g0\na", count: 20) + "."
      _ = try error(hostile.utf8)
      _ = try error([0x80, 2] + [UInt8](repeating: UInt8(ascii: "]"), count: 2_000_000))
    }
  }

  @Test("bytes changed at random end in words or in a typed error")
  func mutations() throws {
    let random = RandomGenerator(seed: 1)
    let whole = Array(try Data(contentsOf: URL(fileURLWithPath: try path("vocab2.pkl"))))
    try withTemporaryFolder { folder in
      let file = "\(folder)/vocab.pkl"
      for _ in 0..<200 {
        var bytes = whole
        for _ in 0..<3 { bytes[random.integer(in: 0..<bytes.count)] = UInt8(random.integer(in: 0..<256)) }
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        do {
          _ = try WordVocabulary(contentsOf: file)
        } catch is WeightsError {}
      }
    }
  }
}
