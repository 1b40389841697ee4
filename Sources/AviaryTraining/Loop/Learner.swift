import AviaryLayers
import AviaryTensors

/// Examples that can be had in any order, some at a time, as whoever learns from them wants them.
public protocol TrainingData<Batch>: Sendable {
  /// Some examples together: inputs and labels, pictures and boxes, or whatever is learned from.
  associatedtype Batch
  /// All examples.
  var count: Int { get }
  /// The examples of these numbers together.
  func batch(_ indices: [Int]) throws -> Batch
}

/// Who learns, and what: turns a batch into a step of the optimisers and into numbers for people. The training loop (``Trainer``) knows
/// nothing else of it: not what a class is, nor how many networks and optimisers there are.
public protocol Learner<Batch>: AnyObject {
  /// What it learns from in one step.
  associatedtype Batch
  /// Everything that is in training mode during an epoch, and in evaluation mode else.
  var modules: [any Module] { get }
  /// Their step sizes follow the schedule.
  var optimizers: [any Optimizer] { get }
  /// One step. A loss that is no finite number must change no weights; the training run ends with it.
  func learn(from batch: Batch) throws -> Evaluation
  /// The same numbers without learning, in evaluation mode.
  func evaluation(of batch: Batch) throws -> Evaluation
  /// Whether the first is the better result of an epoch; by default that of the lower loss.
  func isBetter(_ one: Evaluation, than other: Evaluation) -> Bool
}

extension Learner {
  public func isBetter(_ one: Evaluation, than other: Evaluation) -> Bool { one.loss < other.loss }

  /// Over all examples of some data, in evaluation mode.
  public func evaluation(on data: some TrainingData<Batch>, batchSize: Int = 32) throws -> Evaluation {
    require(batchSize > 0, "batches of \(batchSize)")
    for module in modules { module.evaluate() }
    return try stride(from: 0, to: data.count, by: batchSize).reduce(.none) { sum, first in
      let batch = try data.batch(Array(first..<min(first + batchSize, data.count)))
      return sum.joined(with: try evaluation(of: batch))
    }
  }
}
