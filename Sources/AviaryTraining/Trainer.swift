import AviaryLayers
import AviaryTensors
import Foundation

/// What a pass over a data set came to.
public struct Evaluation: Sendable, Hashable, Codable {
  /// The mean loss over the examples.
  public var loss: Float
  /// The share of examples whose largest logit is the label's.
  public var accuracy: Float
  public var count: Int
}

/// What happened in one epoch of training.
public struct EpochReport: Sendable, Codable {
  /// Counted from 1.
  public var epoch: Int
  public var training: Evaluation
  public var validation: Evaluation?
  public var learningRate: Float
  public var seconds: Double
}

/// Where a training run is, for a progress bar.
public struct TrainingProgress: Sendable {
  public let epoch: Int
  public let epochs: Int
  /// Examples seen in this epoch, of `total`.
  public let seen: Int
  public let total: Int
  public let loss: Float
}

/// What a network gives for a batch while it is trained.
public struct TrainingLogits {
  /// Logits of a classifier half way, and what their loss is multiplied by.
  public struct Auxiliary {
    public let logits: Tensor
    public let lossWeight: Float

    public init(logits: Tensor, lossWeight: Float) {
      self.logits = logits
      self.lossWeight = lossWeight
    }
  }

  public let logits: Tensor
  public let auxiliary: [Auxiliary]

  public init(logits: Tensor, auxiliary: [Auxiliary] = []) {
    self.logits = logits
    self.auxiliary = auxiliary
  }
}

/// Trains a classifier: shuffles, takes batches, follows gradients, validates after every epoch.
public final class Trainer {
  public let model: any Layer
  public let optimizer: any Optimizer
  /// Scaled to the size of the model's input and averaged over the batch; by default softmax cross-entropy.
  public var loss: (_ logits: Tensor, _ labels: Tensor) -> Tensor = { softmaxCrossEntropy($0, labels: $1) }
  /// The forward pass of a training step; by default the model's own. Losses of auxiliary logits are added with their weights.
  public var forward: (Tensor) -> TrainingLogits
  public var schedule: Schedule = .constant
  /// Gradients longer than this are scaled down.
  public var gradientNormLimit: Float?
  /// Changes a batch of inputs before a step, to vary the examples.
  public var augment: ((Tensor) -> Tensor)?
  public var onProgress: ((TrainingProgress) -> Void)?
  /// Called after every epoch; `isBest` when validation (else training) accuracy was never higher. Throwing ends the run.
  public var onEpoch: ((EpochReport, _ isBest: Bool) throws -> Void)?

  public init(_ model: any Layer, _ optimizer: any Optimizer) {
    self.model = model
    self.optimizer = optimizer
    forward = { TrainingLogits(logits: model($0)) }
  }

  /// A training run. The same seed, data and thread count give the same result. No epochs change nothing.
  ///
  /// - Throws: ``TrainingError`` when there is nothing to learn from or the loss is no finite number any more, and whatever the data and
  ///   ``onEpoch`` throw.
  @discardableResult
  public func fit(
    _ training: some Dataset, validation: (any Dataset)? = nil, epochs: Int, batchSize: Int = 32,
    seed: UInt64 = 0
  ) throws -> [EpochReport] {
    require(epochs >= 0 && batchSize > 0, "\(epochs) epochs in batches of \(batchSize)")
    guard training.count > 0 else { throw TrainingError.noExamples }
    let generator = RandomGenerator(seed: seed)
    let initialRate = optimizer.learningRate
    defer { optimizer.learningRate = initialRate }
    var reports: [EpochReport] = []
    var best: (accuracy: Float, loss: Float) = (-1, .infinity)
    for epoch in 1..<(epochs + 1) {
      let start = Date()
      let order = Tensor.permutation(training.count, using: generator)
      var (lossSum, hits, seen) = (Float(0), 0, 0)
      model.train()
      defer { model.evaluate() }
      for first in stride(from: 0, to: order.count, by: batchSize) {
        let progress = (Float(epoch - 1) + Float(first) / Float(order.count)) / Float(epochs)
        optimizer.learningRate = initialRate * schedule.factor(progress: progress, epochs: epochs)
        let examples = order[first..<min(first + batchSize, order.count)]
        let batch = try training.batch(examples)
        let (value, correct) = try withRandomSeed(UInt64(epoch) << 32 | UInt64(first) ^ seed) {
          try step(batch, examples)
        }
        guard value.isFinite else {
          throw TrainingError.loss(value, epoch: epoch, step: first / batchSize + 1)
        }
        lossSum += value * Float(batch.count)
        hits += correct
        seen += batch.count
        onProgress?(
          TrainingProgress(
            epoch: epoch, epochs: epochs, seen: seen, total: order.count, loss: lossSum / Float(seen)))
      }
      model.evaluate()
      let report = EpochReport(
        epoch: epoch,
        training: Evaluation(
          loss: lossSum / Float(max(seen, 1)), accuracy: Float(hits) / Float(max(seen, 1)), count: seen),
        validation: try validation.map { try model.evaluation(on: $0, batchSize: batchSize, loss: loss) },
        learningRate: optimizer.learningRate, seconds: -start.timeIntervalSinceNow)
      if let loss = report.validation?.loss, !loss.isFinite {
        throw TrainingError.validationLoss(loss, epoch: epoch)
      }
      reports.append(report)
      let judged = report.validation ?? report.training
      let isBest =
        judged.accuracy > best.accuracy || judged.accuracy == best.accuracy && judged.loss < best.loss
      if isBest { best = (judged.accuracy, judged.loss) }
      try onEpoch?(report, isBest)
    }
    return reports
  }

  /// One step on one batch: the loss, and how many examples were right.
  private func step(_ batch: Batch, _ examples: ArraySlice<Int>) throws -> (loss: Float, hits: Int) {
    var hits = 0
    let inputs = augment?(batch.inputs) ?? batch.inputs
    var (value, gradients) = try valueAndGradient(of: model) { () -> Tensor in
      let output = forward(inputs)
      try batch.requireLabels(below: output.logits.shape.last ?? 0, examples)
      hits = correctCount(output.logits.detached, batch.labels)
      return output.auxiliary.reduce(loss(output.logits, batch.labels)) { sum, auxiliary in
        sum + loss(auxiliary.logits, batch.labels) * auxiliary.lossWeight
      }
    }
    let reached = value.item()
    // Such gradients would spoil the weights.
    guard reached.isFinite else { return (reached, hits) }
    if let limit = gradientNormLimit { gradients.clip(norm: limit) }
    optimizer.update(model, gradients)
    return (reached, hits)
  }
}

extension Layer {
  /// The loss and accuracy of a classifier over a data set, in evaluation mode.
  public func evaluation(
    on data: any Dataset, batchSize: Int = 32,
    loss: (_ logits: Tensor, _ labels: Tensor) -> Tensor = { softmaxCrossEntropy($0, labels: $1) }
  ) throws -> Evaluation {
    evaluate()
    return try AviaryTraining.evaluation(of: { self($0) }, on: data, batchSize: batchSize, loss: loss)
  }
}

/// The loss and accuracy of any function from inputs to logits over a data set.
public func evaluation(
  of classifier: (Tensor) -> Tensor, on data: any Dataset, batchSize: Int = 32,
  loss: (_ logits: Tensor, _ labels: Tensor) -> Tensor = { softmaxCrossEntropy($0, labels: $1) }
) throws -> Evaluation {
  var (lossSum, hits) = (Float(0), 0)
  for first in stride(from: 0, to: data.count, by: batchSize) {
    let batch = try data.batch(first..<min(first + batchSize, data.count))
    let logits = classifier(batch.inputs)
    lossSum += loss(logits, batch.labels).item() * Float(batch.count)
    hits += correctCount(logits, batch.labels)
  }
  let count = Float(max(data.count, 1))
  return Evaluation(loss: lossSum / count, accuracy: Float(hits) / count, count: data.count)
}

extension Batch {
  /// Throws ``TrainingError`` unless each label is one of so many classes.
  fileprivate func requireLabels(below classes: Int, _ examples: ArraySlice<Int>) throws(TrainingError) {
    for (label, example) in zip(labels.values(of: Int64.self), examples) where !(0..<classes ~= Int(label)) {
      throw .label(Int(label), example: example, classes: classes)
    }
  }
}

/// How many rows of `logits` (N×C) have their largest value at the label.
private func correctCount(_ logits: Tensor, _ labels: Tensor) -> Int {
  zip(logits.argMax(1).values(of: Int64.self), labels.values(of: Int64.self)).reduce(0) {
    $0 + ($1.0 == $1.1 ? 1 : 0)
  }
}
