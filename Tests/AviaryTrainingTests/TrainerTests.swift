import AviaryLayers
import AviaryTensors
import AviaryTraining
import TestSupport
import Testing

@Suite("Training")
struct TrainerTests {
  /// Points left and right of a line.
  private func points(_ count: Int, seed: UInt64) -> TensorDataset {
    let inputs = sample([count, 4], seed: seed)
    let sides = (inputs.sliced(1, 0..<1) - inputs.sliced(1, 2..<3)).values()
    return TensorDataset(inputs: inputs, labels: sides.map { $0 > 0 ? 1 : 0 }, classNames: ["left", "right"])
  }

  private func model() -> Sequential {
    withRandomSeed(5) { Sequential(Linear(4, 16), Activate(.relu), Dropout(0.1), Linear(16, 2)) }
  }

  @Test("a separable problem is learned, and validation sees it")
  func learns() throws {
    let trainer = Trainer(model(), Adam(learningRate: 0.02))
    trainer.schedule = .cosine
    let reports = try trainer.fit(points(400, seed: 1), validation: points(200, seed: 2), epochs: 10, seed: 3)
    let (first, last) = (try #require(reports.first), try #require(reports.last))
    #expect(reports.map(\.epoch) == Array(1...10))
    #expect(last.training.loss < first.training.loss / 2)
    #expect(try #require(last.validation).accuracy > 0.95)
    #expect(try #require(last.validation).count == 200)
    #expect(last.learningRate < first.learningRate)
    #expect(trainer.learner.optimizer.learningRate == 0.02)
  }

  @Test("two runs with the same seed are equal bit for bit, another seed is another run")
  func reproducible() throws {
    func run(_ seed: UInt64) throws -> [[Float]] {
      let model = model()
      let trainer = Trainer(model, SGD(learningRate: 0.1, momentum: 0.9))
      trainer.learner.gradientNormLimit = 1
      try trainer.fit(points(100, seed: 1), epochs: 3, batchSize: 16, seed: seed)
      return model.stateEntries.map { $0.value.values() }
    }
    let first = try run(7)
    #expect(try run(7) == first)
    #expect(try run(8) != first)
  }

  @Test("progress reaches every example, the best epoch is marked, and the model ends in evaluation mode")
  func hooks() throws {
    let model = model()
    let trainer = Trainer(model, SGD(learningRate: 0.1))
    var seen: [Int] = []
    var best = 0
    trainer.onProgress = { progress in if progress.seen == progress.total { seen.append(progress.epoch) } }
    trainer.onEpoch = { _, isBest in best += isBest ? 1 : 0 }
    try trainer.fit(points(50, seed: 1), epochs: 2, batchSize: 16)
    #expect(seen == [1, 2])
    #expect(best >= 1)
    let x = sample([8, 4])
    #expect(model(x).values() == model(x).values())
  }

  @Test("an error from a hook ends the run")
  func stops() {
    struct Enough: Error {}
    let trainer = Trainer(model(), SGD(learningRate: 0.1))
    trainer.onEpoch = { report, _ in if report.epoch == 2 { throw Enough() } }
    #expect(throws: Enough.self) { try trainer.fit(points(20, seed: 1), epochs: 5) }
    #expect(trainer.learner.optimizer.learningRate == 0.1)
  }

  @Test("no epochs leave the weights as they are")
  func noEpochs() throws {
    let model = model()
    let before = model.stateEntries.map { $0.value.values() }
    let trainer = Trainer(model, SGD(learningRate: 0.1))
    trainer.schedule = .cosine
    #expect(try trainer.fit(points(20, seed: 1), epochs: 0).isEmpty)
    #expect(model.stateEntries.map { $0.value.values() } == before)
  }

  @Test("a loss that is not a number stops the run where it comes up and is no best epoch")
  func notANumber() throws {
    let model = model()
    let trainer = Trainer(model, SGD(learningRate: 0.1))
    var steps = 0
    trainer.learner.loss = { logits, labels in
      steps += 1
      return softmaxCrossEntropy(logits, labels: labels) * (steps == 4 ? .nan : 1)
    }
    var bestEpochs = 0
    trainer.onEpoch = { _, isBest in bestEpochs += isBest ? 1 : 0 }
    let error = #expect(throws: TrainingError.self) {
      try trainer.fit(points(40, seed: 1), epochs: 3, batchSize: 16)
    }
    guard case .loss(let loss, epoch: 2, step: 1) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(loss.isNaN)
    #expect(error?.description.contains("not a number in step 1 of epoch 2") == true)
    #expect(bestEpochs == 1)
    #expect(model.stateEntries.allSatisfy { entry in entry.value.values().allSatisfy { $0.isFinite } })
  }

  @Test("validation that is not a number stops the run")
  func validationNotANumber() throws {
    let trainer = Trainer(model(), SGD(learningRate: 0.1))
    let damaged = TensorDataset(
      inputs: points(8, seed: 2).batchOfAll() * .infinity, labels: [0, 1, 0, 1, 0, 1, 0, 1],
      classNames: ["left", "right"])
    var epochs = 0
    trainer.onEpoch = { _, _ in epochs += 1 }
    #expect(throws: TrainingError.self) {
      try trainer.fit(points(20, seed: 1), validation: damaged, epochs: 2)
    }
    #expect(epochs == 0)
  }

  @Test("examples with a label that is no class are named, and so are no examples")
  func labels() throws {
    let trainer = Trainer(model(), SGD(learningRate: 0.1))
    let strange = TensorDataset(inputs: sample([3, 4]), labels: [0, 1, 2], classNames: ["a", "b", "c"])
    #expect(throws: TrainingError.label(2, example: 2, classes: 2)) { try trainer.fit(strange, epochs: 1) }
    let empty = TensorDataset(inputs: .zeros([0, 4]), labels: [], classNames: ["a", "b"])
    #expect(throws: TrainingError.noExamples) { try trainer.fit(empty, epochs: 1) }
  }
}

extension TensorDataset {
  /// The inputs of all examples.
  fileprivate func batchOfAll() -> Tensor { stack((0..<count).map { input($0) }) }
}
