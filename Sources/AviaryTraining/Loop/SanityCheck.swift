import AviaryLayers
import AviaryTensors
import Foundation

/// Two questions before a long run, which a network that is put together wrong does not pass: does it know nothing at first, and can it
/// learn one small batch by heart?
public struct SanityCheck: Sendable, Codable, Hashable {
  /// The loss before the first step, on examples of all kinds.
  public let initialLoss: Float
  /// log C: what guessing among C classes costs.
  public let guessingLoss: Float
  /// The loss on the small batch after ``steps`` steps on it alone.
  public let overfittedLoss: Float
  /// The share of the small batch that is recognised then.
  public let overfittedAccuracy: Float
  /// Steps on the small batch.
  public let steps: Int

  /// Whether the first loss is about that of guessing; a network with a trained head knows more, which is no mistake.
  public var beginsByGuessing: Bool { abs(initialLoss - guessingLoss) < 0.5 * guessingLoss }
  /// Whether the small batch was learned by heart.
  public var canOverfit: Bool {
    overfittedAccuracy == 1 && overfittedLoss < 0.5 * min(initialLoss, guessingLoss)
  }

  /// Checks a classifier, whose weights and statistics are as before afterwards.
  ///
  /// - Parameters:
  ///   - learner: with an optimiser of its own, whose state the check spoils.
  ///   - batchSize: of the small batch.
  ///   - steps: at most; fewer when it is learned before.
  /// - Throws: ``TrainingError`` without examples, and what the data and the learner throw.
  public init(
    _ learner: ClassifierLearner, _ data: any Dataset, batchSize: Int = 8, steps: Int = 200
  ) throws {
    guard data.count > 0 else { throw TrainingError.noExamples }
    let before = WeightSnapshot(learner.modules)
    defer {
      before.restore()
      for module in learner.modules { module.evaluate() }
    }
    let order = Tensor.permutation(data.count, using: RandomGenerator(seed: 0))
    let some = Array(order.prefix(64))
    learner.model.evaluate()
    initialLoss = try learner.evaluation(of: try data.batch(some)).loss
    guessingLoss = logf(Float(data.classNames.count))
    let batch = try data.batch(Array(order.prefix(batchSize)))
    var taken = 0
    var reached: Evaluation
    repeat {
      learner.model.train()
      _ = try withRandomSeed(UInt64(taken)) { try learner.learn(from: batch) }
      taken += 1
      learner.model.evaluate()
      reached = try learner.evaluation(of: batch)
    } while taken < steps && !(reached.accuracy == 1 && reached.loss < 0.1 * guessingLoss)
    (overfittedLoss, overfittedAccuracy, self.steps) = (reached.loss, reached.accuracy, taken)
  }
}
