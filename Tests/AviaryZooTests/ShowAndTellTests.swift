import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// With ResNet-18 in place of ResNet-152, and deterministic weights, against its reference (`tools/reference/sentence_fixtures.py`).
@Suite("Show and Tell")
struct ShowAndTellTests {
  private static let expected = try! GoldenFile(
    Bundle.module.url(forResource: "sentences", withExtension: "safetensors", subdirectory: "Fixtures")!)
  private static let factors: [String: Float] = ["decoder.linear.weight": 12, "decoder.embed.weight": 8]

  private func expected(_ name: String) throws -> Tensor { try #require(Self.expected[name], "\(name)") }

  private func filled() throws -> LoadedNetwork {
    let loaded = try Zoo.untrainedNetwork(
      try Catalogue.entry("show_and_tell"), settings: ["encoder": .string("resnet18")])
    for entry in loaded.network.stateEntries where !entry.isFixed {
      let factor = Self.factors[entry.name] ?? 1
      let values = DeterministicWeights.torch(entry.name, shape: entry.shape)
      entry.value = Tensor(values.map { $0 * factor }, shape: entry.shape)
    }
    return loaded
  }

  private func image(_ shape: Shape) -> Tensor {
    Tensor(DeterministicWeights.image(shape: shape), shape: shape)
  }

  @Test("features, words as they are taught, and the likeliest captions equal the reference's")
  func reference() throws {
    let loaded = try filled()
    let network = try #require(loaded.network as? ShowAndTell)
    network.evaluate()
    let features = network.encode(image([1, 3, 224, 224]))
    #expect(features.shape == [1, 1, 1, 256])
    #expect(relativeDifference(features.reshaped([1, 256]), try expected("features")) < 1e-4)

    let given = image([2, 256])
    let captions = Tensor(
      [1, 5, 310, 77, 4021, 2, 1, 12, 9000, 2, 0, 0].map { Int64($0) }, shape: [2, 6])
    let inputs: NamedTensors = [
      "captions": captions, "features": given, "caption_lengths": Tensor([Int64(6), 4]),
    ]
    for outputs in [network(inputs), network.compiled()(inputs)] {
      let predictions = outputs["predictions"]
      #expect(predictions.shape == [2, 6, 9956])
      let some = stack((0..<270).map { predictions.selected(2, $0 * 37) }, axis: 2)
      #expect(relativeDifference(some, try expected("predictions")) < 1e-4)
    }
    // Taught word by word: what follows each word but the last.
    let (taught, _) = network.teach(
      given.reshaped([2, 1, 1, 256]), captions: captions, lengths: Tensor([Int64(6), 4]))
    let whole = network(inputs)["predictions"]
    #expect(relativeDifference(taught.sliced(1, 0..<3), whole.sliced(1, 1..<4)) < 1e-5)

    var words = (0..<9956).map { "w\($0)" }
    (words[0], words[1], words[2], words[3]) = ("<pad>", "<start>", "<end>", "<unk>")
    nonisolated(unsafe) let bound = loaded.bound(to: try WordVocabulary(words))
    let captioner = try Captioner(bound)
    let caption = try captioner.captions(
      given.sliced(0, 0..<1).reshaped([1, 1, 1, 256]), beam: 1, maximumLength: 12)[0]
    #expect(caption.words == (try expected("greedy").values(of: Int64.self).map { "w\($0)" }))
    #expect(!caption.isComplete)
  }

  @Test("it learns captions of drawn pictures, with its own words now and then in place of the right ones")
  func learns() throws {
    var generator = SceneGenerator.singles(width: 32, height: 32)
    (generator.shapes, generator.colours, generator.textures) = (
      [.circle, .square], [.red, .blue], [.plain]
    )
    let pictures = ScenePictures(generator, count: 16)
    let words = WordVocabulary(of: (0..<16).flatMap { pictures.picture($0).captions })
    let loaded = try withRandomSeed(2) {
      try Zoo.untrainedNetwork(
        try Catalogue.entry("show_and_tell"),
        settings: [
          "encoder": .string("resnet18"), "vocab_size": .integer(words.count), "embed_size": .integer(16),
          "hidden_size": .integer(32),
        ])
    }
    let network = try #require(loaded.network as? ShowAndTell)
    let data = AugmentedPictures<CaptionBatch>(pictures, preprocessing: Preprocessing())
    let learner = network.learner(words, Adam(learningRate: 0.01), ownShare: 0.25)
    network.train()
    let batch = try data.batch(Array(0..<16))
    let losses = try withRandomSeed(3) { try (0..<12).map { _ in try learner.learn(from: batch).loss } }
    #expect(losses.last! < 0.5 * losses[0])
    network.evaluate()
    // Without chance where nothing is learned.
    let first = try learner.evaluation(of: batch)
    #expect(try learner.evaluation(of: batch).loss == first.loss)
  }
}
