import AviaryLayers
import AviaryTensors
import Foundation
import TestSupport
import Testing

@testable import AviaryTraining

@Suite("Runs that are interrupted, ended early and watched")
struct LoopTests {
  private func points(_ count: Int, seed: UInt64) -> TensorDataset {
    let inputs = sample([count, 4], seed: seed)
    let sides = (inputs.sliced(1, 0..<1) - inputs.sliced(1, 2..<3)).values()
    return TensorDataset(inputs: inputs, labels: sides.map { $0 > 0 ? 1 : 0 }, classNames: ["left", "right"])
  }

  private func model() -> Sequential {
    withRandomSeed(5) {
      Sequential(Linear(4, 16), BatchNorm(16), Activate(.relu), Dropout(0.1), Linear(16, 2))
    }
  }

  private struct Killed: Error {}

  /// A run of three epochs of five steps, killed after `steps` steps and gone on with from what was kept last.
  private func weights(killedAfter steps: Int?) throws -> (weights: [[Float]], reports: [EpochReport]) {
    let (training, validation) = (points(70, seed: 1), points(30, seed: 2))
    func trainer(_ model: Sequential) -> Trainer<ClassifierLearner> {
      let trainer = Trainer(model, SGD(learningRate: 0.1))
      trainer.schedule = .cosine
      return trainer
    }
    func fit(_ trainer: Trainer<ClassifierLearner>, _ state: TrainingState? = nil) throws -> [EpochReport] {
      try trainer.fit(
        training, validation: validation, epochs: 3, batchSize: 16, seed: 7, resuming: state)
    }
    let model = model()
    guard let steps else { return (try fit(trainer(model)).withoutTimes(model)) }
    var kept: (state: Data, weights: [Tensor])?
    let first = trainer(model)
    var calls = 0
    first.onState = { state in
      kept = (try JSONEncoder().encode(state), model.stateEntries.map(\.value))
      calls += 1
      if calls == steps { throw Killed() }
    }
    #expect(throws: Killed.self) { try fit(first) }
    let (data, values) = try #require(kept)
    let again = self.model()
    for (entry, value) in zip(again.stateEntries, values) { entry.value = value }
    let state = try JSONDecoder().decode(TrainingState.self, from: data)
    return try fit(trainer(again), state).withoutTimes(again)
  }

  @Test("a run that was killed at any step goes on to the same weights and reports, bit for bit")
  func resumed() throws {
    let whole = try weights(killedAfter: nil)
    // Five steps and the end of an epoch, three times.
    for steps in 1...18 {
      let resumed = try weights(killedAfter: steps)
      #expect(resumed.weights == whole.weights && resumed.reports == whole.reports, "after \(steps)")
    }
  }

  @Test("a state of another run, and one that contradicts itself, is refused")
  func otherRun() throws {
    let trainer = Trainer(model(), SGD(learningRate: 0.1))
    var state: TrainingState?
    trainer.onState = { state = $0 }
    try trainer.fit(points(20, seed: 1), epochs: 2, batchSize: 8)
    let kept = try #require(state)
    #expect(kept.isFinished && kept.stepsTaken == 6 && kept.reports.count == 2)
    let other = #expect(throws: TrainingError.self) {
      try trainer.fit(points(20, seed: 1), epochs: 3, batchSize: 8, resuming: kept)
    }
    #expect(
      other?.description.contains("has 20 examples, 2 epochs, batches of 8 and the seed 0, not 20") == true)
    var damaged = kept
    damaged.epoch = 2
    #expect(throws: TrainingError.damagedState) {
      try trainer.fit(points(20, seed: 1), epochs: 2, batchSize: 8, resuming: damaged)
    }
  }

  @Test("a run without gain ends after as many epochs as its patience")
  func patience() throws {
    let trainer = Trainer(model(), SGD(learningRate: 0))
    trainer.patience = 2
    let validation = points(30, seed: 2)
    let reports = try trainer.fit(points(40, seed: 1), validation: validation, epochs: 20)
    // The weights stay, and only the statistics of the batches change the results.
    let best = reports.indices.max { trainer.learner.isBetter(reports[$1].judged, than: reports[$0].judged) }!
    #expect(reports.count == best + 3 && reports.count < 20)
  }

  @Test("steps and the starts of epochs are told")
  func told() throws {
    let trainer = Trainer(model(), SGD(learningRate: 0.1))
    var (steps, epochs): ([Int], [Int]) = ([], [])
    trainer.onStep = { steps.append($0.step) }
    trainer.onEpochStart = { epochs.append($0) }
    try trainer.fit(points(20, seed: 1), epochs: 2, batchSize: 8)
    #expect(steps == Array(1...6) && epochs == [1, 2])
  }

  @Test("the learning-rate finder leaves weights as they were, and finds where a loss falls")
  func finder() throws {
    let model = model()
    let before = model.stateEntries.map { $0.value.values() }
    let learner = ClassifierLearner(model, SGD(learningRate: 0.5))
    let finder = try LearningRateFinder(learner, points(64, seed: 1), rates: 1e-4...10, batchSize: 16)
    #expect(model.stateEntries.map { $0.value.values() } == before && learner.optimizer.learningRate == 0.5)
    #expect(
      finder.points.count > 20
        && zip(finder.points, finder.points.dropFirst()).allSatisfy { $0.rate < $1.rate })
    let suggestion = try #require(finder.suggestion)
    #expect(suggestion > 1e-3 && suggestion < 5)
  }

  @Test("a sound network passes the sanity check, one that cannot learn does not")
  func sanity() throws {
    let model = model()
    let before = model.stateEntries.map { $0.value.values() }
    let sound = try SanityCheck(ClassifierLearner(model, Adam(learningRate: 0.02)), points(64, seed: 1))
    #expect(sound.beginsByGuessing && sound.canOverfit && sound.guessingLoss == logf(2))
    #expect(model.stateEntries.map { $0.value.values() } == before)
    model.freeze()
    let stuck = try SanityCheck(
      ClassifierLearner(model, Adam(learningRate: 0.02)), points(64, seed: 1), steps: 20)
    #expect(!stuck.canOverfit && stuck.steps == 20)
  }

  @Test("precision, recall and F1 of a matrix worked out by hand")
  func scores() {
    var matrix = ConfusionMatrix(classNames: ["a", "b", "c"])
    for (label, predicted, times) in [(0, 0, 3), (0, 1, 1), (1, 1, 2), (1, 0, 2)] {
      for _ in 0..<times { matrix.add(class: label, predicted: predicted) }
    }
    #expect(matrix.precision(of: 0) == 0.6 && matrix.recall(of: 0) == 0.75)
    #expect(matrix.f1(of: 0) == 2 * 3 / 9 && matrix.f1(of: 1) == 4 / 7)
    #expect(matrix.precision(of: 2) == nil && matrix.recall(of: 2) == nil && matrix.f1(of: 2) == nil)
    #expect(matrix.meanF1 == (Float(2 * 3) / 9 + Float(4) / 7) / 2)
  }
}

extension [EpochReport] {
  /// With the weights that were reached; times differ from run to run.
  fileprivate func withoutTimes(_ model: Sequential) -> (weights: [[Float]], reports: [EpochReport]) {
    let reports = map { report in
      var report = report
      (report.seconds, report.secondsWaited) = (0, 0)
      return report
    }
    return (model.stateEntries.map { $0.value.values() }, reports)
  }
}
