import AviaryTensors
import Foundation

/// A batch whose examples are several classes at once.
public struct MixedBatch: Sendable {
  /// N×….
  public let inputs: Tensor
  /// Probabilities float32 N×classes; each row adds up to 1.
  public let targets: Tensor
  /// The numbers of the examples in their data set, for messages.
  public let examples: [Int]

  /// Inputs N×… with probabilities N×classes.
  public init(inputs: Tensor, targets: Tensor, examples: [Int]) {
    self.inputs = inputs
    self.targets = targets
    self.examples = examples
  }
}

/// Each example of a batch mixed with the one before it, classes too, all in one ratio drawn from the distribution Beta(α, α).
public enum BatchMixing: Sendable, Hashable, Codable {
  /// Values are weighted means (Zhang et al. 2017, "mixup: Beyond Empirical Risk Minimization").
  case mixup(alpha: Float)
  /// A rectangle is the other example's (Yun et al. 2019, "CutMix").
  case cutmix(alpha: Float)

  /// The batch mixed; inputs N×C×H×W for ``cutmix(alpha:)``. A batch of one example is only given probabilities.
  ///
  /// - Parameter classes: how many there are.
  public func callAsFunction(
    _ batch: Batch, classes: Int, using generator: RandomGenerator
  ) -> MixedBatch {
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
    let labels = batch.labels.values(of: Int64.self).map(Int.init)
    var targets = [Float](repeating: 0, count: batch.count * classes)
    for (example, label) in labels.enumerated() {
      require(
        0..<classes ~= label, "the label \(label) of example \(batch.examples[example]), \(classes) classes")
      targets[example * classes + label] += share
      targets[example * classes + labels[other(example)]] += 1 - share
    }
    return MixedBatch(
      inputs: Tensor(values, shape: batch.inputs.shape),
      targets: Tensor(targets, shape: [batch.count, classes]), examples: batch.examples)
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

/// Data of classes whose batches are mixed, in a way that seed, epoch and the batch's first example decide.
public struct MixedData: VaryingData {
  private let base: any TrainingData<Batch>
  private let mixing: BatchMixing
  private let classes: Int

  /// Batches of `base`, which has so many classes, mixed.
  public init(_ base: any TrainingData<AviaryTraining.Batch>, _ mixing: BatchMixing, classes: Int) {
    self.base = base
    self.mixing = mixing
    self.classes = classes
  }

  public var count: Int { base.count }
  public func batch(_ indices: [Int]) throws -> MixedBatch { try batch(indices, epoch: 0, seed: 0) }
  public func batch(_ indices: [Int], epoch: Int, seed: UInt64) throws -> MixedBatch {
    let batch = try base.varyingBatch(indices, epoch: epoch, seed: seed)
    // Apart from the examples' own streams, whose paths have two steps.
    let generator = RandomGenerator(seed: seed, path: UInt64(epoch), UInt64(indices[0]), 1)
    return mixing(batch, classes: classes, using: generator)
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
