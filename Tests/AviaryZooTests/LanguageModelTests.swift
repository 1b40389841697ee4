import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite("Writing and reading")
struct LanguageModelTests {
  private func sizes(_ vocabulary: Int, _ width: Int, _ embedding: Int) -> Settings {
    ["vocabulary": .integer(vocabulary), "width": .integer(width), "embedding": .integer(embedding)]
  }

  /// A model of a few characters with first values, which differ from one another by far.
  private func model(_ characters: String = "abcdefgh \n") throws -> LanguageModel {
    let loaded = try withRandomSeed(7) {
      try Zoo.untrainedNetwork(
        try Catalogue.entry("charrnn"),
        settings: sizes(characters.unicodeScalars.count, 24, 12))
    }
    for entry in loaded.network.stateEntries { entry.value = entry.value * 3 }
    let vocabulary = try Vocabulary(characters.unicodeScalars.map { String($0) })
    nonisolated(unsafe) let bound = loaded.bound(to: vocabulary)
    return try LanguageModel(bound)
  }

  @Test("the likeliest text is that of the network itself, whatever the prompt's length")
  func greedy() throws {
    let model = try model()
    for length in [1, 3, 130] {
      let prompt = String(String(repeating: "abc dgh", count: 20).prefix(length))
      var told = ""
      let text = try model.write(prompt, length: 20, choosing: .greedy) { told += $0 }
      #expect(text.count == 20 && told == text)
      // Reading all of it again gives the same next characters.
      let again = try model.write(prompt + text.prefix(10), length: 10, choosing: .greedy)
      #expect(again == text.suffix(10))
    }
    #expect(try model.write("a", length: 0, choosing: .greedy).isEmpty)
  }

  @Test("the same seed gives the same text, one candidate is the likeliest, and copies run at once")
  func chance() async throws {
    let model = try model()
    let text = try model.write("abc", length: 60, seed: 1)
    #expect(try model.write("abc", length: 60, seed: 1) == text)
    #expect(try model.write("abc", length: 60, seed: 2) != text)
    let greedy = try model.write("abc", length: 60, choosing: .greedy)
    #expect(try model.write("abc", length: 60, choosing: .sampled(topK: 1)) == greedy)
    #expect(try model.write("abc", length: 60, choosing: .sampled(temperature: 1e-3)) == greedy)
    try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<4 {
        let copy = model.copy()
        group.addTask { try copy.write("abc", length: 60, seed: 1) }
      }
      for try await other in group { #expect(other == text) }
    }
  }

  @Test("characters are chosen as often as they are likely, by temperature and among the likeliest")
  func frequencies() {
    let logits = [0.2, 1.4, -3, 0.9].map { Float($0) }
    let generator = RandomGenerator(seed: 11)
    for (choice, divisor, kept) in [
      (TokenChoice.sampled(), Float(1), [0, 1, 2, 3]), (.sampled(temperature: 2, topK: 2), 2, [1, 3]),
    ] {
      var counts = [Int](repeating: 0, count: 4)
      for _ in 0..<4000 { counts[choice.choose(logits, using: generator)] += 1 }
      let weights = logits.indices.map { kept.contains($0) ? exp(logits[$0] / divisor) : 0 }
      let sum = weights.reduce(0, +)
      for index in logits.indices {
        #expect(abs(Float(counts[index]) / 4000 - weights[index] / sum) < 0.03)
      }
    }
    #expect(TokenChoice.greedy.choose([1, 3, 3, 2], using: generator) == 1)
  }

  @Test("the likelihood of a text in pieces is that of its characters one by one")
  func likelihood() throws {
    let model = try model()
    let text = String(String(repeating: "hab cdg\nef", count: 30).prefix(251))
    let whole = try model.negativeLogLikelihood(of: text)
    #expect(whole.count == 250)
    let network = try withRandomSeed(7) {
      try Zoo.untrainedNetwork(
        try Catalogue.entry("charrnn"),
        settings: sizes(10, 24, 12)
      ).network
    }
    for entry in network.stateEntries { entry.value = entry.value * 3 }
    let numbers = try model.tokenizer.encode(text).map { Int64($0) }
    let outputs = network(network.completed(["tokens": Tensor(numbers, shape: [1, numbers.count])]))
    let logits = outputs["logits"].squeezed(0).sliced(0, 0..<250).logSoftmax()
    let nats = -logits.gathered(1, Tensor(Array(numbers.dropFirst()), shape: [250, 1])).mean().item()
    #expect(abs(whole.nats - nats) < 1e-4 * nats)
    #expect(throws: EmptyText.self) { try model.negativeLogLikelihood(of: "a") }
  }

  @Test("what the vocabulary lacks is named, and a network without a vocabulary says how to give one")
  func refused() throws {
    let model = try model()
    let error = #expect(throws: UnknownCharacters.self) { try model.write("aéxa\té", length: 3) }
    #expect(error?.description == #"the vocabulary lacks "é", "x", "\u{9}""#)
    #expect(throws: EmptyText.self) { try model.write("", length: 3) }
    let entry = try Catalogue.entry("charrnn")
    let none = #expect(throws: UnsuitableVocabulary.self) {
      try LanguageModel(try Zoo.untrainedNetwork(entry, settings: ["vocabulary": .integer(12)]))
    }
    #expect(none?.description.contains("--vocabulary") == true)
    // The catalogue's own has 65.
    #expect(try LanguageModel(try Zoo.untrainedNetwork(entry)).tokenizer.count == 65)
    let own = #expect(throws: UnsuitableVocabulary.self) {
      try LanguageModel(CharRNN(), tokenizer: model.tokenizer)
    }
    #expect(own?.description == "the vocabulary has 10 characters, but the network has 65")
    let unet = #expect(throws: WrongTask.self) { try Zoo.load(LanguageModel.self, "unet") }
    #expect(unet?.description == "unet segments: aviary segment")
  }

  @Test(
    "vocabularies of files",
    arguments: [
      (#"{"a": 1, "b": 0, "\n": 2}"#, "ba\n"), (#"["x", "é", "\u0000"]"#, "xé\0"),
      (#"{"a": 0, "b": 0}"#, nil), (#"{"a": 0, "b": 2}"#, nil), (#"{"a": "0"}"#, nil), (#"["a", 1]"#, nil),
      (#"["a", "a"]"#, nil), (#"["ab"]"#, nil), (#"[""]"#, nil), (#"{"a": 0, "a": 1}"#, nil), ("7", nil),
      ("{", nil), (#"{"a": -1}"#, nil),
    ])
  func vocabulary(json: String, characters: String?) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/vocab.json"
      try Data(json.utf8).write(to: URL(filePath: path))
      guard let characters else {
        let error = #expect(throws: WeightsError.self) { try Vocabulary(contentsOf: path) }
        #expect(error?.file == path)
        return
      }
      let vocabulary = try Vocabulary(contentsOf: path)
      #expect(vocabulary.characters == Array(characters.unicodeScalars))
      #expect(vocabulary.decode(try vocabulary.encode(characters)) == characters)
    }
  }

  @Test("a file beside the weights says the characters, and a portable file keeps them")
  func companion() throws {
    try withTemporaryFolder { folder in
      let entry = try Catalogue.entry("charrnn")
      let network = try Zoo.untrainedNetwork(entry, settings: sizes(3, 4, 2))
      let weights = "\(folder)/small.npz"
      try WeightFile.write(try network.network.archive(), to: weights, as: .npz)
      #expect(throws: UnsuitableVocabulary.self) {
        try Zoo.load(LanguageModel.self, "charrnn", weights: weights)
      }
      try Data(#"["z"]"#.utf8).write(to: URL(filePath: "\(folder)/vocab.json"))
      let other = #expect(throws: UnsuitableVocabulary.self) {
        try Zoo.load(LanguageModel.self, "charrnn", weights: weights)
      }
      #expect(other?.description == "the vocabulary has 1 characters, but the network has 3")
      // The one of the same name comes first.
      try Data(#"["x", "y", "z"]"#.utf8).write(to: URL(filePath: "\(folder)/small_vocab.json"))
      let loaded = try Zoo.network("charrnn", weights: weights)
      #expect(loaded.metadata.labels == ["x", "y", "z"] && loaded.assumptions.isEmpty)
      let portable = "\(folder)/portable.safetensors"
      try loaded.save(to: portable)
      for name in ["vocab.json", "small_vocab.json"] {
        try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
      }
      let model = try Zoo.load(LanguageModel.self, "charrnn", weights: portable)
      #expect((model.tokenizer as? Vocabulary)?.characters == Array("xyz".unicodeScalars))

      let sound = try Data(contentsOf: URL(filePath: portable))
      for (label, sentence) in [
        (#"11111"#, "not a string"), (#"\"y\""#, "has \"y\" twice, as 0 and as 1"),
        (#"null "#, "is null"),
      ] {
        var changed = sound
        let place = try #require(changed.range(of: Data(#"\"x\""#.utf8)))
        changed.replaceSubrange(place, with: Data(label.utf8))
        try changed.write(to: URL(filePath: portable))
        let error = #expect(throws: (any Error).self) {
          try Zoo.load(LanguageModel.self, "charrnn", weights: portable)
        }
        #expect("\(try #require(error))".contains(sentence), "\(String(describing: error))")
      }
    }
  }

  @Test(
    "Shakespeare's model in both forms writes the text that it likes best, and reads 1.3203 nats",
    .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"),
    arguments: ["charrnn_shakespeare.pth", "charrnn_shakespeare_tf.h5"])
  func shakespeare(file: String) throws {
    let assets = try #require(assets)
    let loaded = try Zoo.network("charrnn", weights: "\(assets)/weights/\(file)")
    #expect(loaded.assumptions.count == 1)
    let vocabulary = try Vocabulary(contentsOf: "\(assets)/data/text/charrnn_shakespeare_vocab.json")
    #expect(loaded.metadata.labels == vocabulary.labels)
    let model = try Zoo.load(LanguageModel.self, "charrnn", weights: "\(assets)/weights/\(file)")
    let text = try model.write("The ", length: 58, choosing: .greedy)
    #expect("The " + text == "The t offis on the world as the world as the world and the sea")
    let read = try String(contentsOfFile: "\(assets)/data/text/tinyshakespeare.txt", encoding: .utf8)
    let likelihood = try model.negativeLogLikelihood(of: String(read.prefix(20_000)))
    #expect(abs(likelihood.nats - 1.3203) < 1e-3 && abs(likelihood.accuracy - 0.591) < 2e-3)
  }
}
