import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// GPT-2 against transformers'; see `tools/reference/gpt2_fixtures.py`.
@Suite("GPT-2")
struct GPT2Tests {
  private func configuration(_ name: String) throws -> GPT2.Configuration {
    try JSONDecoder().decode(
      GPT2.Configuration.self, from: Data(try #require(try GPT2Fixture.file.get().metadata[name]).utf8))
  }

  @Test(
    "logits of two layers of full width, and of a small model that differs in all that can be set",
    arguments: ["wide", "small"])
  func logits(name: String) throws {
    let file = try GPT2Fixture.file.get()
    let network = GPT2(try configuration(name))
    network.fillDeterministically()
    #expect(String(network.parameterCount) == file.metadata["\(name).parameters"])
    let step = try #require(Int(file.metadata["\(name).step"] ?? ""))
    let expected = try #require(file["\(name).logits"])
    let largest = try #require(file["\(name).largest"]).item()
    let inputs: NamedTensors = ["input_ids": try #require(file["\(name).input_ids"])]
    for logits in [network(inputs)["logits"], network.compiled()(inputs)["logits"]] {
      let vocabulary = logits.shape[2]
      let found = logits.sliced(2, 0..<vocabulary, step: step)
      #expect((found - expected).abs().amax().item() < 1e-4 * largest)
    }
  }

  @Test("training reaches every parameter")
  func gradients() throws {
    let file = try GPT2Fixture.file.get()
    let network = GPT2(try configuration("small"))
    network.fillDeterministically()
    network.expectGradients(of: "logits", ["input_ids": try #require(file["small.input_ids"])])
  }

  @Test(
    "what is read in pieces with kept keys and values is what is computed at once",
    arguments: [[20], [1, 1, 1, 1], [3, 1, 16, 1, 1], [24, 1, 1, 5]])
  func cache(pieces: [Int]) throws {
    let loaded = try GPT2Fixture.network()
    let network = try #require(loaded.network as? GPT2)
    let tokens = (0..<pieces.reduce(0, +)).map { $0 * 37 % 372 }
    let whole = network(Tensor(tokens.map { Int64($0) }, shape: [1, tokens.count])).squeezed(0)
    for execution in [Execution.compiled(), .eager()] {
      nonisolated(unsafe) let copy = try GPT2Fixture.network()
      let reader = CachingReader(
        SharedNetwork(copy.network, execution: execution), contextLength: network.contextLength,
        cacheShape: network.cacheShape)
      var (reading, start) = (reader.begin(), 0)
      for piece in pieces {
        try reading.read(Array(tokens[start..<start + piece])) { logits, range in
          let expected = whole.sliced(0, start + range.lowerBound..<start + range.upperBound)
          let rows = (0..<range.count).map { relativeDifference(logits[$0], expected[$0]) }
          #expect(relativeDifference(logits, expected) < 1e-5, "\(execution) \(rows)")
        }
        start += piece
      }
    }
  }

  @Test("beyond the context the later half is read anew")
  func sliding() throws {
    let loaded = try GPT2Fixture.network(positions: 12)
    let network = try #require(loaded.network as? GPT2)
    let tokens = (0..<30).map { $0 * 37 % 372 }
    nonisolated(unsafe) let copy = try GPT2Fixture.network(positions: 12)
    let reader = CachingReader(
      SharedNetwork(copy.network), contextLength: 12, cacheShape: network.cacheShape)
    var (reading, found) = (reader.begin(), [Int: Tensor]())
    for (index, token) in tokens.enumerated() {
      try reading.read([token]) { logits, _ in found[index] = logits }
    }
    // Places 0 to 11, then from 6 on, then from 12 on, …
    for index in tokens.indices {
      let start = index < 12 ? 0 : (index - 12) / 6 * 6 + 6
      let seen = tokens[start...index].map { Int64($0) }
      let expected = network(Tensor(seen, shape: [1, seen.count])).squeezed(0)
      let last = expected.sliced(0, seen.count - 1..<seen.count)
      #expect(relativeDifference(try #require(found[index]), last) < 1e-5, "\(index)")
    }
    let model = try GPT2Fixture.model(positions: 12)
    #expect(model.contextLength == 12)
    let text = try model.write("The gulls had been told", length: 40, choosing: .greedy)
    #expect(!text.isEmpty)
  }

  @Test(
    "a checkpoint with what Hugging Face puts around it, and its files beside it, becomes one portable file")
  func files() throws {
    let loaded = try GPT2Fixture.network()
    try withTemporaryFolder { folder in
      for name in ["vocab.json", "merges.txt"] {
        try FileManager.default.copyItem(atPath: GPT2Fixture.path(name), toPath: "\(folder)/\(name)")
      }
      var theirs = WeightArchive()
      for entry in loaded.network.stateEntries { theirs["transformer.\(entry.name)"] = entry.value }
      for layer in 0..<2 {
        theirs["transformer.h.\(layer).attn.bias"] = .ones([1, 1, 32, 32])
        theirs["transformer.h.\(layer).attn.masked_bias"] = Tensor(Float(-10_000))
      }
      let path = "\(folder)/model.safetensors"
      try WeightFile.write(theirs, to: path, as: .safetensors)
      let json =
        #"{"model_type": "gpt2", "n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 32, "vocab_size": 372, "n_ctx": 32, "architectures": ["GPT2LMHeadModel"], "n_inner": null}"#
      try Data(json.utf8).write(to: URL(filePath: "\(folder)/config.json"))
      let found = try Zoo.network("gpt2", weights: path)
      #expect(found.settings["n_head"] == .integer(2) && found.report?.isComplete == true)
      #expect(found.changes.contains { $0.contains("attn.bias") })
      let portable = "\(folder)/one/gpt2.safetensors"
      try FileManager.default.createDirectory(atPath: "\(folder)/one", withIntermediateDirectories: true)
      try found.save(to: portable)
      let model = try Zoo.load(LanguageModel.self, "gpt2", weights: portable)
      let reference = try GPT2Fixture.model()
      #expect(
        try model.write("The gulls", length: 20, seed: 4) == reference.write("The gulls", length: 20, seed: 4)
      )
      // A head of its own, which is not the table of tokens.
      theirs["lm_head.weight"] = sample([372, 16])
      try WeightFile.write(theirs, to: path, as: .safetensors)
      let untied = try Zoo.network("gpt2", weights: path)
      #expect(untied.settings["tie_word_embeddings"] == .bool(false))
      #expect((untied.network as? GPT2)?.lmHead?.weight.value.values() == sample([372, 16]).values())
    }
  }

  @Test("OpenAI's variables of TensorFlow are read from .npz and .h5, bit for bit, and known by their names")
  func tensorflow() throws {
    let loaded = try GPT2Fixture.network()
    let map = try #require(try Catalogue.entry("gpt2").dialects[0].loadNameMap(theirs: "tensorflow"))
    let ours = try loaded.network.archive()
    let theirs = try map.exported(ours)
    #expect(theirs.unmatched.isEmpty && theirs.archive.count == ours.count)
    #expect(theirs.archive.spec("model/h1/attn/c_attn/w")?.shape == [1, 16, 48])
    #expect(theirs.archive.spec("model/ln_f/g")?.shape == [16])
    try withTemporaryFolder { folder in
      for (name, format) in [("gpt2.npz", WeightFormat.npz), ("gpt2.safetensors", .safetensors)] {
        try WeightFile.write(theirs.archive, to: "\(folder)/\(name)", as: format)
        let found = try Zoo.network(
          "gpt2", weights: "\(folder)/\(name)", settings: ["n_head": .integer(2)])
        #expect(found.settings["n_layer"] == .integer(2) && found.report?.isComplete == true)
        for (entry, other) in zip(found.network.stateEntries, loaded.network.stateEntries) {
          #expect(entry.name == other.name && entry.value.values() == other.value.values())
        }
      }
    }
    let plain = try Zoo.network(
      "gpt2", weights: GPT2Fixture.path("tensorflow.h5"), settings: ["n_head": .integer(2)])
    #expect(plain.report?.isComplete == true && plain.settings["vocab_size"] == .integer(20))
    for entry in plain.network.stateEntries {
      #expect(
        entry.value.values() == DeterministicWeights.torch(entry.name, shape: entry.shape), "\(entry.name)")
    }
    var known = WeightArchive()
    for entry in GPT2(.medium).stateEntries {
      let shape = entry.shape
      try known.append(entry.name, TensorSpec(shape)) { Tensor.zeros(shape) }
    }
    let found = try #require(Zoo.identification(of: try map.exported(known).archive))
    #expect(found.entry.name == "gpt2_medium" && found.nameMap == "tensorflow_gpt2" && found.fits)
  }

  @Test("a published file is known by its tensors, with the masks that are in it")
  func identification() throws {
    var archive = WeightArchive()
    for entry in GPT2(.medium).stateEntries {
      let shape = entry.shape
      try archive.append(entry.name, TensorSpec(shape)) { Tensor.zeros(shape) }
    }
    for layer in 0..<24 {
      try archive.append("h.\(layer).attn.bias", TensorSpec([1, 1, 1024, 1024])) {
        .ones([1, 1, 1024, 1024])
      }
    }
    let found = try #require(Zoo.identification(of: archive))
    #expect(found.entry.name == "gpt2_medium" && found.fits && found.settings.isEmpty)
  }

  @Test("texts that are too long for the network, and settings that make none, are refused with a sentence")
  func refused() throws {
    let loaded = try GPT2Fixture.network()
    let long = Tensor([Int64](repeating: 0, count: 33), shape: [1, 33])
    let error = #expect(throws: SignatureError.self) { try loaded.outputs(for: ["input_ids": long]) }
    #expect(error?.description.contains("32") == true)
    let entry = try Catalogue.entry("gpt2")
    for (name, value) in [
      ("n_head", JSONValue.integer(7)), ("scale_attn_weights", .bool(false)),
      ("add_cross_attention", .bool(true)),
      ("activation_function", .string("mish")), ("n_layer", .integer(0)), ("n_experts", .integer(2)),
    ] {
      #expect(throws: ConfigurationError.self) {
        var settings = GPT2Fixture.settings()
        settings[name] = value
        _ = try JSONValue.object(settings).decoded(as: GPT2.Configuration.self)
      }
    }
    // No vocabulary, another one, and one whose merges make no sense.
    let none = #expect(throws: UnsuitableVocabulary.self) {
      try LanguageModel(try Zoo.untrainedNetwork(entry, settings: GPT2Fixture.settings()))
    }
    #expect(none?.description.contains("merges.txt") == true)
    for change: (inout PortableMetadata) -> Void in [
      { $0.labels?.removeLast() }, { $0.taskSettings?["merges"] = nil },
      { $0.taskSettings?["merges"] = .array([.string("a")]) },
      { $0.taskSettings?["merges"] = .string("a b") },
      { $0.labels?[1] = "Ġ" }, { $0.labels?[2] = "Ġ" },
    ] {
      nonisolated(unsafe) var loaded = try GPT2Fixture.network()
      change(&loaded.metadata)
      #expect(throws: UnsuitableVocabulary.self) { try LanguageModel(loaded) }
    }
    for (name, value) in [("tokenizer", JSONValue.string("words")), ("dropout", .integer(1))] {
      nonisolated(unsafe) var loaded = try GPT2Fixture.network()
      loaded.metadata.taskSettings?[name] = value
      #expect(throws: ConfigurationError.self) { try LanguageModel(loaded) }
    }
  }
}
