import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryTraining

@Suite("Checkpoints of training runs")
struct CheckpointTests {
  private func withFile(_ body: (_ path: String) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }

  private func model() -> Sequential {
    withRandomSeed(5) {
      Sequential(Linear(4, 16), BatchNorm(16), Activate(.relu), Dropout(0.1), Linear(16, 2))
    }
  }

  private func learner(_ kind: String) -> ClassifierLearner {
    let optimizer: any Optimizer =
      switch kind {
      case "sgd": SGD(learningRate: 0.05, momentum: 0.9)
      case "adamw": Adam.decoupled(learningRate: 0.01)
      case "rmsprop": RMSProp(learningRate: 0.01)
      default: AdaGrad(learningRate: 0.05)
      }
    let learner = ClassifierLearner(model(), optimizer)
    learner.gradientNormLimit = 1
    learner.microBatch = 5
    if kind == "adamw" { learner.average = ExponentialMovingAverage(of: learner.model, decay: 0.9) }
    return learner
  }

  private func points(_ count: Int) -> TensorDataset {
    let inputs = sample([count, 4], seed: 1)
    let sides = (inputs.sliced(1, 0..<1) - inputs.sliced(1, 2..<3)).values()
    return TensorDataset(inputs: inputs, labels: sides.map { $0 > 0 ? 1 : 0 }, classNames: ["left", "right"])
  }

  @Test(
    "a run goes on from a file with the optimiser's state and averages, bit for bit",
    arguments: ["sgd", "adamw", "rmsprop", "adagrad"])
  func file(kind: String) throws {
    try withFile { path in
      func trainer(_ learner: ClassifierLearner) -> Trainer<ClassifierLearner> {
        let trainer = Trainer(learner)
        trainer.schedule = .cosine
        return trainer
      }
      var judged: [Float] = []
      let whole = trainer(learner(kind))
      whole.onEpoch = { report, _ in judged.append(report.validation?.loss ?? 0) }
      try whole.fit(points(60), validation: points(20), epochs: 3, batchSize: 16, seed: 3)

      struct Killed: Error {}
      let first = trainer(learner(kind))
      first.onState = { state in
        guard state.stepsTaken == 6 else { return }
        try TrainingCheckpoint(of: first.learner, state, settings: ["x": .integer(1)], model: "m").write(
          to: path)
        throw Killed()
      }
      #expect(throws: Killed.self) {
        try first.fit(points(60), validation: points(20), epochs: 3, batchSize: 16, seed: 3)
      }
      let checkpoint = try TrainingCheckpoint(contentsOf: path)
      #expect(checkpoint.settings == ["x": .integer(1)] && checkpoint.model == "m")
      #expect(checkpoint.state.epoch == 2 && checkpoint.state.step == 2)
      let again = trainer(learner(kind))
      try checkpoint.restore(again.learner)
      let reports = try again.fit(
        points(60), validation: points(20), epochs: 3, batchSize: 16, seed: 3, resuming: checkpoint.state)
      #expect(reports.map { $0.validation?.loss ?? 0 } == judged)
      for (one, other) in zip(again.learner.model.stateEntries, whole.learner.model.stateEntries) {
        #expect(one.value.values() == other.value.values(), "\(one.name)")
      }
    }
  }

  @Test("what is no checkpoint, is damaged or of another learner is refused")
  func refused() throws {
    try withFile { path in
      try model().save(to: path)
      #expect(throws: WeightsError.self) { try TrainingCheckpoint(contentsOf: path) }

      let trainer = Trainer(learner("sgd"))
      var state: TrainingState?
      trainer.onState = { state = $0 }
      try trainer.fit(points(20), epochs: 1)
      try TrainingCheckpoint(of: trainer.learner, try #require(state)).write(to: path)
      let checkpoint = try TrainingCheckpoint(contentsOf: path)
      #expect(throws: SavedStateError.missing("average")) { try checkpoint.restore(learner("adamw")) }
      let other = ClassifierLearner(Sequential(Linear(4, 2)), SGD(learningRate: 0.1, momentum: 0.9))
      #expect(throws: SavedStateError.self) { try checkpoint.restore(other) }

      var bytes = try Data(contentsOf: URL(filePath: path))
      bytes[bytes.count - 1] ^= 1
      try bytes.write(to: URL(filePath: path))
      #expect(throws: WeightsError.self) { try TrainingCheckpoint(contentsOf: path) }

      var archive = try WeightArchive([("loose", .zeros([1]))])
      archive.portable = PortableMetadata()
      archive.metadata["training"] = "{}"
      try WeightFile.write(archive, to: path, as: .portable)
      let error = #expect(throws: WeightsError.self) { try TrainingCheckpoint(contentsOf: path) }
      #expect(error?.description.contains("cannot be read") == true)
    }
  }

  @Test("small parts of a batch give the gradients of the whole, and averages are what is judged")
  func parts() throws {
    func run(_ configure: (ClassifierLearner) -> Void) throws -> (weights: [[Float]], loss: Float) {
      let plain = withRandomSeed(5) { Sequential(Linear(4, 8), Activate(.tanh), Linear(8, 2)) }
      let learner = ClassifierLearner(plain, SGD(learningRate: 0.1))
      configure(learner)
      let reports = try Trainer(learner).fit(points(30), validation: points(30), epochs: 2, batchSize: 10)
      return (plain.stateEntries.map { $0.value.values() }, reports.last!.validation!.loss)
    }
    let whole = try run { _ in }
    let parts = try run { $0.microBatch = 3 }
    for (one, other) in zip(whole.weights, parts.weights) {
      #expect(zip(one, other).allSatisfy { abs($0 - $1) < 1e-6 })
    }
    let averaged = try run { $0.average = ExponentialMovingAverage(of: $0.model, decay: 0.99) }
    #expect(averaged.weights == whole.weights && averaged.loss > whole.loss)
  }
}
