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
  associatedtype Batch: Sendable
  /// Everything that is in training mode during an epoch, and in evaluation mode else.
  var modules: [any Module] { get }
  /// Their step sizes follow the schedule.
  var optimizers: [any Optimizer] { get }
  /// One step. A loss that is no finite number must change no weights; the training run ends with it.
  func learn(from batch: Batch) throws -> Evaluation
  /// The same numbers without learning, in evaluation mode.
  func evaluation(of batch: Batch) throws -> Evaluation
  /// The same over all examples of some data, in evaluation mode; by default the means over them.
  func evaluation(on data: some TrainingData<Batch>, batchSize: Int) throws -> Evaluation
  /// Whether the first is the better result of an epoch; by default that of the lower loss.
  func isBetter(_ one: Evaluation, than other: Evaluation) -> Bool
  /// Runs `body`, an evaluation or the saving of weights, with the weights that are for use: averages, where some are kept.
  func withWeightsForUse<Result>(_ body: () throws -> Result) rethrows -> Result
  /// What has to be saved beside the modules' weights for training to go on bit for bit, by name.
  func savedStates() -> [String: SavedState]
  /// Takes the place of what was kept before. Throws ``SavedStateError`` for a state that is not the learner's.
  func restore(_ states: [String: SavedState]) throws(SavedStateError)
}

extension Learner {
  public func isBetter(_ one: Evaluation, than other: Evaluation) -> Bool { one.loss < other.loss }

  public func withWeightsForUse<Result>(_ body: () throws -> Result) rethrows -> Result { try body() }

  /// The optimisers' states, each for the module of the same place, or the only one.
  public func savedStates() -> [String: SavedState] {
    Dictionary(
      uniqueKeysWithValues: optimizers.enumerated().map { place, optimizer in
        ("optimizer\(place)", optimizer.state(of: module(ofOptimizer: place)))
      })
  }

  public func restore(_ states: [String: SavedState]) throws(SavedStateError) {
    for (place, optimizer) in optimizers.enumerated() {
      guard let state = states["optimizer\(place)"] else { throw .missing("optimizer\(place)") }
      try optimizer.restore(state, of: module(ofOptimizer: place))
    }
  }

  private func module(ofOptimizer place: Int) -> any Module {
    require(
      modules.count == 1 || modules.count == optimizers.count,
      "\(optimizers.count) optimisers of \(modules.count) modules: the learner has to save its states itself")
    return modules[modules.count == 1 ? 0 : place]
  }

  /// Over all examples of some data, in evaluation mode.
  public func evaluation(on data: some TrainingData<Batch>, batchSize: Int = 32) throws -> Evaluation {
    try meanEvaluation(on: data, batchSize: batchSize)
  }

  /// The means of ``evaluation(of:)`` over all examples of some data, in evaluation mode.
  func meanEvaluation(on data: some TrainingData<Batch>, batchSize: Int) throws -> Evaluation {
    require(batchSize > 0, "batches of \(batchSize)")
    for module in modules { module.evaluate() }
    return try stride(from: 0, to: data.count, by: batchSize).reduce(.none) { sum, first in
      let batch = try data.batch(Array(first..<min(first + batchSize, data.count)))
      return sum.joined(with: try evaluation(of: batch))
    }
  }
}
