import AviaryTensors
import Foundation

/// A batch whose examples are two classes each.
public struct MixedBatch: Sendable {
  /// N×….
  public let inputs: Tensor
  /// The class of each example, int64 N.
  public let labels: Tensor
  /// The other class of each.
  public let otherLabels: Tensor
  /// What ``labels`` count, from 0 to 1; ``otherLabels`` count the rest.
  public let share: Float

  /// Probabilities float32 N×classes; each row adds up to 1.
  public func targets(classes: Int) -> Tensor {
    let (own, others) = (labels.values(of: Int64.self), otherLabels.values(of: Int64.self))
    var targets = [Float](repeating: 0, count: own.count * classes)
    for (example, (label, other)) in zip(own, others).enumerated() {
      for label in [label, other] {
        require(0..<Int64(classes) ~= label, "the label \(label), of \(classes) classes")
      }
      targets[example * classes + Int(label)] += share
      targets[example * classes + Int(other)] += 1 - share
    }
    return Tensor(targets, shape: [own.count, classes])
  }
}

extension MixedBatch {
  /// A batch whose examples are what they are.
  init(unmixed batch: Batch) {
    self.init(inputs: batch.inputs, labels: batch.labels, otherLabels: batch.labels, share: 1)
  }

  /// Some of the examples.
  func rows(_ rows: Range<Int>) -> MixedBatch {
    MixedBatch(
      inputs: inputs.sliced(0, rows), labels: labels.sliced(0, rows),
      otherLabels: otherLabels.sliced(0, rows), share: share)
  }

  /// The loss of logits N×classes for both classes of each example, each by its share.
  func loss(_ logits: Tensor, by loss: (_ logits: Tensor, _ labels: Tensor) -> Tensor) -> Tensor {
    guard share < 1 else { return loss(logits, labels) }
    return loss(logits, labels) * share + loss(logits, otherLabels) * (1 - share)
  }

  /// How many of the examples have their largest logit at their class: by shares, where they have two.
  func hits(_ logits: Tensor) -> Float {
    let hits = Float(logits.hits(labels))
    return share < 1 ? hits * share + Float(logits.hits(otherLabels)) * (1 - share) : hits
  }
}

extension Tensor {
  /// How many rows of logits N×classes have their largest value at the label.
  func hits(_ labels: Tensor) -> Int {
    zip(argMax(1).values(of: Int64.self), labels.values(of: Int64.self)).count { $0 == $1 }
  }
}

/// Each example of a batch mixed with the one before it, classes too, all in one ratio drawn from the distribution Beta(α, α).
public enum BatchMixing: Sendable, Hashable, Codable {
  /// Values are weighted means (Zhang et al. 2017, "mixup: Beyond Empirical Risk Minimization").
  case mixup(alpha: Float)
  /// A rectangle is the other example's (Yun et al. 2019, "CutMix").
  case cutmix(alpha: Float)

  /// The batch mixed; inputs N×C×H×W for ``cutmix(alpha:)``. A batch of one example stays as it is.
  public func callAsFunction(_ batch: Batch, using generator: RandomGenerator = .current) -> MixedBatch {
    let share: Float
    var values = batch.inputs.values()
    let others = values
    let size = values.count / batch.count
    func other(_ example: Int) -> Int { (example + batch.count - 1) % batch.count }
    switch self {
    case .mixup(let alpha):
      share = generator.beta(alpha)
      for place in values.indices {
        let from = other(place / size) * size + place % size
        values[place] = share * values[place] + (1 - share) * others[from]
      }
    case .cutmix(let alpha):
      require(
        batch.inputs.rank == 4, "rectangles are cut of N×C×H×W, inputs have shape \(batch.inputs.shape)")
      let (height, width) = (batch.inputs.shape[2], batch.inputs.shape[3])
      let cut = Self.rectangle(generator.beta(alpha), width: width, height: height, using: generator)
      share = 1 - Float(cut.columns.count * cut.rows.count) / Float(width * height)
      for plane in 0..<batch.count * batch.inputs.shape[1] {
        let channel = plane % batch.inputs.shape[1]
        let from = other(plane / batch.inputs.shape[1]) * size + channel * width * height
        for row in cut.rows {
          for column in cut.columns {
            values[plane * width * height + row * width + column] = others[from + row * width + column]
          }
        }
      }
    }
    let labels = batch.labels.values(of: Int64.self)
    return MixedBatch(
      inputs: Tensor(values, shape: batch.inputs.shape), labels: batch.labels,
      otherLabels: Tensor(labels.indices.map { labels[other($0)] }), share: share)
  }

  /// The rectangle of the other example: its middle anywhere, its sides √(1 − share) of the picture's, cut off at the border.
  private static func rectangle(
    _ share: Float, width: Int, height: Int, using generator: RandomGenerator
  ) -> (columns: Range<Int>, rows: Range<Int>) {
    let half = 0.5 * (1 - share).squareRoot()
    func range(_ length: Int) -> Range<Int> {
      let (middle, reach) = (generator.integer(in: 0..<length), Int(half * Float(length)))
      return max(middle - reach, 0)..<min(middle + reach, length)
    }
    let columns = range(width)
    return (columns, range(height))
  }
}

extension TrainingData {
  /// The examples as they look in an epoch, where they vary.
  func varyingBatch(_ indices: [Int], epoch: Int, seed: UInt64) throws -> Batch {
    guard let varying = self as? any VaryingData<Batch> else { return try batch(indices) }
    return try varying.batch(indices, epoch: epoch, seed: seed)
  }
}

extension RandomGenerator {
  /// A number of 0...1 from the distribution Beta(α, α).
  func beta(_ alpha: Float) -> Float {
    require(alpha > 0 && alpha.isFinite, "there is no distribution Beta(\(alpha), \(alpha))")
    let (a, b) = (logGamma(alpha), logGamma(alpha))
    // In logarithms, since both are 0 in float32 for small α.
    return Float(1 / (1 + exp(b - a)))
  }

  /// The logarithm of a number from the gamma distribution of shape α (Marsaglia & Tsang 2000, "A Simple Method for Generating Gamma
  /// Variables"; below 1 by their section 6).
  private func logGamma(_ alpha: Float) -> Double {
    func unit() -> Double { 1 - Double(uniform()) }
    let boost = alpha < 1 ? log(unit()) / Double(alpha) : 0
    let d = Double(alpha < 1 ? alpha + 1 : alpha) - 1 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let normal = (-2 * log(unit())).squareRoot() * cos(2 * .pi * unit())
      let v = (1 + c * normal) * (1 + c * normal) * (1 + c * normal)
      if v > 0, log(unit()) < 0.5 * normal * normal + d - d * v + d * log(v) { return log(d * v) + boost }
    }
  }
}
