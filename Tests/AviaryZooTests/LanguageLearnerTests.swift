import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Learning a language")
struct LanguageLearnerTests {
  private let text = String(repeating: "the cat sat on the mat and the dog sat on the log. ", count: 24)

  private func recurrent(_ vocabulary: Vocabulary) throws -> LoadedNetwork {
    try withRandomSeed(4) {
      try Zoo.untrainedNetwork(
        try Catalogue.entry("charrnn"),
        settings: [
          "vocabulary": .integer(vocabulary.count), "embedding": .integer(12), "width": .integer(24),
          "layers": .integer(1),
        ])
    }
  }

  private func trainer(
    _ loaded: LoadedNetwork
  ) -> (learner: LanguageLearner, trainer: Trainer<LanguageLearner>) {
    let learner = LanguageLearner(loaded.network, Adam(learningRate: 2e-2))
    learner.gradientNormLimit = 5
    let trainer = Trainer(learner)
    trainer.order = .sequential
    return (learner, trainer)
  }

  @Test("the state is carried from piece to piece: pieces of a text come to what the whole comes to")
  func state() throws {
    let vocabulary = Vocabulary(of: text)
    let tokens = try vocabulary.encode(text)
    let loaded = try recurrent(vocabulary)
    let (learner, _) = trainer(loaded)
    #expect(learner.hasState)
    let pieces = try TextStreams(Array(tokens.prefix(121)), streams: 2, length: 10)
    let whole = try TextStreams(Array(tokens.prefix(121)), streams: 2, length: 60)
    let losses = [
      try learner.evaluation(on: pieces, batchSize: 2), try learner.evaluation(on: whole, batchSize: 2),
    ]
    #expect(abs(losses[0].loss - losses[1].loss) < 1e-5)
    #expect(abs((losses[0].metrics["accuracy"] ?? 0) - (losses[1].metrics["accuracy"] ?? 1)) < 1e-5)
    // One stream is what the likelihood of a text is.
    nonisolated(unsafe) let bound = loaded.bound(to: vocabulary)
    let one = try TextStreams(Array(tokens.prefix(61)), streams: 1, length: 60)
    let evaluation = try learner.evaluation(on: one, batchSize: 1)
    let likelihood = try LanguageModel(bound).negativeLogLikelihood(of: String(text.prefix(61)))
    #expect(abs(evaluation.loss - likelihood.nats) < 1e-5)
  }

  @Test("a recurrent model learns, and goes on bit for bit in the middle of an epoch")
  func resumed() throws {
    let vocabulary = Vocabulary(of: text)
    let data = try TextStreams(try vocabulary.encode(text), streams: 4, length: 25)
    func run(stoppingAt stop: Int?, from checkpoint: TrainingCheckpoint?) throws -> (
      checkpoint: TrainingCheckpoint?, reports: [EpochReport], archive: WeightArchive
    ) {
      struct Stopped: Error {}
      let loaded = try recurrent(vocabulary)
      let (learner, trainer) = trainer(loaded)
      try checkpoint?.restore(learner)
      var kept: TrainingCheckpoint?
      trainer.onState = { state in
        kept = TrainingCheckpoint(of: learner, state)
        if state.stepsTaken == stop { throw Stopped() }
      }
      var reports: [EpochReport] = []
      do {
        reports = try trainer.fit(
          data, validation: data, epochs: 4, batchSize: 4, resuming: checkpoint?.state)
      } catch is Stopped {}
      return (kept, reports, try loaded.archive())
    }
    let whole = try run(stoppingAt: nil, from: nil)
    let first = try #require(whole.reports.first?.training.loss)
    let last = try #require(whole.reports.last?.validation?.loss)
    #expect(last < first * 0.6, "\(first) \(last)")
    let half = try run(stoppingAt: data.pieces + 5, from: nil)
    let path = FileManager.default.temporaryDirectory.appending(path: "reading-\(UUID()).safetensors")
      .path(percentEncoded: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try #require(half.checkpoint).write(to: path)
    let resumed = try run(stoppingAt: nil, from: try TrainingCheckpoint(contentsOf: path))
    for name in whole.archive.names {
      #expect(resumed.archive[name]?.values() == whole.archive[name]?.values(), "\(name)")
    }
  }

  @Test("a state that is not the network's is refused")
  func foreignState() throws {
    let loaded = try recurrent(Vocabulary(of: text))
    let (learner, _) = trainer(loaded)
    func restored(_ tensors: [(name: String, tensor: Tensor)]) throws {
      var states = learner.savedStates()
      states["reading"] = SavedState(tensors: tensors)
      try learner.restore(states)
    }
    let zeros = Tensor.zeros([1, 3, 24])
    try restored([("hidden", zeros), ("cell", zeros)])
    #expect(throws: SavedStateError.self) { try restored([("hidden", zeros)]) }
    #expect(throws: SavedStateError.self) { try restored([("hidden", zeros), ("memory", zeros)]) }
    #expect(throws: SavedStateError.self) {
      try restored([("hidden", zeros), ("cell", .zeros([1, 3, 23]))])
    }
  }

  @Test("a transformer learns from windows")
  func transformer() throws {
    let loaded = try GPT2Fixture.network()
    let tokenizer = try loaded.tokenizer()
    let data = try TextWindows(try tokenizer.encode(text), length: 16)
    let learner = LanguageLearner(loaded.network, Adam(learningRate: 3e-3))
    #expect(!learner.hasState)
    let reports = try Trainer(learner).fit(data, validation: data, epochs: 4, batchSize: 4, seed: 1)
    let losses = reports.compactMap { $0.validation?.loss }
    #expect(losses.count == 4 && losses[3] < losses[0] * 0.8, "\(losses)")
  }
}
