import AviaryTensors
import Foundation

/// What happened in one epoch of training.
public struct EpochReport: Sendable, Codable {
  /// Counted from 1.
  public var epoch: Int
  /// The means over the epoch's steps, with weights that changed meanwhile.
  public var training: Evaluation
  /// The means over the validation data after the epoch; nil where there is none.
  public var validation: Evaluation?
  /// The step size of the last step.
  public var learningRate: Float
  /// Time that the epoch took, validation included.
  public var seconds: Double
}

/// Where a training run is, for a progress bar.
public struct TrainingProgress: Sendable {
  /// Counted from 1.
  public let epoch: Int
  /// As many as there will be.
  public let epochs: Int
  /// Examples seen in this epoch, of `total`.
  public let seen: Int
  /// Examples of an epoch.
  public let total: Int
  /// The mean loss of the epoch so far.
  public let loss: Float
}

/// The training loop: shuffles, takes batches, lets the learner take a step on each, validates after every epoch.
public final class Trainer<Student: Learner> {
  /// Who learns.
  public let learner: Student
  /// How the step sizes change over the run.
  public var schedule: Schedule = .constant
  /// Called after every step.
  public var onProgress: ((TrainingProgress) -> Void)?
  /// Called after every epoch; `isBest` when no result of the validation (else of the training) was better before. Throwing ends the run.
  public var onEpoch: ((EpochReport, _ isBest: Bool) throws -> Void)?

  /// A loop for a learner, whose optimisers begin with the step sizes that they have.
  public init(_ learner: Student) { self.learner = learner }

  /// A training run. The same seed, data and thread count give the same result. No epochs change nothing.
  ///
  /// - Throws: ``TrainingError`` when there is nothing to learn from or the loss is no finite number any more, and whatever the data, the
  ///   learner and ``onEpoch`` throw.
  @discardableResult
  public func fit(
    _ training: some TrainingData<Student.Batch>, validation: (any TrainingData<Student.Batch>)? = nil,
    epochs: Int, batchSize: Int = 32, seed: UInt64 = 0
  ) throws -> [EpochReport] {
    require(epochs >= 0 && batchSize > 0, "\(epochs) epochs in batches of \(batchSize)")
    guard training.count > 0 else { throw TrainingError.noExamples }
    let generator = RandomGenerator(seed: seed)
    let initialRates = learner.optimizers.map(\.learningRate)
    defer { for (optimizer, rate) in zip(learner.optimizers, initialRates) { optimizer.learningRate = rate } }
    var reports: [EpochReport] = []
    var best: Evaluation?
    for epoch in 1..<(epochs + 1) {
      let start = Date()
      let order = Tensor.permutation(training.count, using: generator)
      var trained = Evaluation.none
      for module in learner.modules { module.train() }
      defer { for module in learner.modules { module.evaluate() } }
      for first in stride(from: 0, to: order.count, by: batchSize) {
        let progress = (Float(epoch - 1) + Float(first) / Float(order.count)) / Float(epochs)
        for (optimizer, rate) in zip(learner.optimizers, initialRates) {
          optimizer.learningRate = rate * schedule.factor(progress: progress, epochs: epochs)
        }
        let batch = try training.batch(Array(order[first..<min(first + batchSize, order.count)]))
        let outcome = try withRandomSeed(UInt64(epoch) << 32 | UInt64(first) ^ seed) {
          try learner.learn(from: batch)
        }
        guard outcome.loss.isFinite else {
          throw TrainingError.loss(outcome.loss, epoch: epoch, step: first / batchSize + 1)
        }
        trained = trained.joined(with: outcome)
        onProgress?(
          TrainingProgress(
            epoch: epoch, epochs: epochs, seen: trained.count, total: order.count, loss: trained.loss))
      }
      for module in learner.modules { module.evaluate() }
      let report = EpochReport(
        epoch: epoch, training: trained,
        validation: try validation.map { try learner.evaluation(on: $0, batchSize: batchSize) },
        learningRate: learner.optimizers.first?.learningRate ?? 0, seconds: -start.timeIntervalSinceNow)
      if let loss = report.validation?.loss, !loss.isFinite {
        throw TrainingError.validationLoss(loss, epoch: epoch)
      }
      reports.append(report)
      let judged = report.validation ?? report.training
      let isBest = best.map { learner.isBetter(judged, than: $0) } ?? true
      if isBest { best = judged }
      try onEpoch?(report, isBest)
    }
    return reports
  }
}
