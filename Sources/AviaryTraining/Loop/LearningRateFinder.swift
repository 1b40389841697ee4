import AviaryLayers
import AviaryTensors
import Foundation

/// The learning-rate range test (Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3): the step size grows from
/// step to step, and where the loss falls fastest is a good one to begin with.
public struct LearningRateFinder: Sendable {
  /// A step of the test.
  public struct Point: Sendable, Codable, Hashable {
    /// The step size.
    public let rate: Float
    /// The loss before the step, as a running mean over the steps so far.
    public let loss: Float
  }

  /// The steps, until the loss exploded or the largest rate was reached.
  public let points: [Point]

  /// Where the smoothed loss falls fastest over the logarithm of the rate; nil when it never falls.
  public var suggestion: Float? {
    // The first steps are those of a running mean that has not settled, the last those of a loss that explodes.
    let kept = points.dropFirst(points.count / 10).dropLast(2)
    let slopes = zip(kept, kept.dropFirst()).map { first, second in
      (rate: first.rate, slope: (second.loss - first.loss) / (logf(second.rate) - logf(first.rate)))
    }
    return slopes.min { $0.slope < $1.slope }.flatMap { $0.slope < 0 ? $0.rate : nil }
  }

  /// Runs the test with a learner that `makeLearner` gives, whose weights and statistics are as before afterwards.
  ///
  /// - Parameters:
  ///   - makeLearner: a learner with a new optimiser.
  ///   - rates: from the smallest to the largest.
  ///   - steps: as many, at most.
  /// - Throws: what the data and the learner throw.
  public init<Student: Learner>(
    _ learner: Student, _ data: some TrainingData<Student.Batch>, rates: ClosedRange<Float> = 1e-6...1,
    steps: Int = 100, batchSize: Int = 32, seed: UInt64 = 0
  ) throws {
    require(
      steps > 1 && batchSize > 0 && rates.lowerBound > 0, "\(steps) steps of \(batchSize) over \(rates)")
    guard data.count > 0 else { throw TrainingError.noExamples }
    let before = WeightSnapshot(learner.modules)
    let initialRates = learner.optimizers.map(\.learningRate)
    defer {
      before.restore()
      for (optimizer, rate) in zip(learner.optimizers, initialRates) { optimizer.learningRate = rate }
      for module in learner.modules { module.evaluate() }
    }
    for module in learner.modules { module.train() }
    let generator = RandomGenerator(seed: seed)
    var order: ArraySlice<Int> = []
    var points: [Point] = []
    var (mean, best) = (Float(0), Float.infinity)
    for step in 0..<steps {
      if order.count < min(batchSize, data.count) {
        order = Tensor.permutation(data.count, using: generator)[...]
      }
      let batch = try data.batch(Array(order.prefix(batchSize)))
      order = order.dropFirst(batchSize)
      let share = Float(step) / Float(steps - 1)
      let rate = rates.lowerBound * powf(rates.upperBound / rates.lowerBound, share)
      for optimizer in learner.optimizers { optimizer.learningRate = rate }
      let outcome = try withRandomSeed(seed ^ UInt64(step)) { try learner.learn(from: batch) }
      guard outcome.loss.isFinite else { break }
      mean = Self.smoothing * mean + (1 - Self.smoothing) * outcome.loss
      // A running mean that begins with 0 is too small at first.
      let loss = mean / (1 - powf(Self.smoothing, Float(step + 1)))
      points.append(Point(rate: rate, loss: loss))
      best = min(best, loss)
      if step > 5, loss > 4 * best { break }
    }
    self.points = points
  }

  private static let smoothing: Float = 0.9
}

/// The values that modules had at some time; optimisers leave values alone that somebody else holds.
struct WeightSnapshot {
  private let entries: [(entry: StateEntry, value: Tensor)]

  init(_ modules: [any Module]) {
    entries = modules.flatMap(\.stateEntries).filter { !$0.isFixed }.map { ($0, $0.value) }
  }

  func restore() { for (entry, value) in entries { entry.value = value } }
}
