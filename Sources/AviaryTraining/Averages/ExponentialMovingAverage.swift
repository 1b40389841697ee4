import AviaryLayers
import AviaryTensors
import Foundation

/// An exponential moving average of a model's weights (Polyak & Juditsky 1992; Tarvainen & Valpola 2017), which often does better than the
/// weights themselves: after every step a ← a + (1 − d)·(w − a). Buffers, such as batch normalization's statistics, are copied.
public final class ExponentialMovingAverage {
  /// How the decay rises while the average is young, so that the first weights are soon forgotten.
  public enum Warmup: Sendable, Hashable, Codable {
    /// The decay from the first step on.
    case none
    /// 1 − (1 + t/γ)^−p, at most the decay: timm's and diffusers', γ = 1 and p = 2/3 for runs of a million steps, 3/4 for shorter ones.
    case power(gamma: Double = 1, exponent: Double = 2.0 / 3)
    /// (1 + t) / (10 + t), at most the decay: TensorFlow's, and diffusers' by default.
    case ratio
  }

  /// d: how much of the average is kept at each step.
  public let decay: Double
  /// How the decay rises at first.
  public let warmup: Warmup
  /// The decay is never less than this, once averaging has begun.
  public let minimumDecay: Double
  /// So many steps, and the one after them, only copy the weights.
  public let firstStep: Int
  /// The steps seen.
  public private(set) var steps = 0
  private let names: [String]
  private var averages: [Tensor]
  private var isSwappedIn = false

  /// An average that begins with the weights that the model has.
  public init(
    of model: some Module, decay: Double = 0.9999, warmup: Warmup = .none, minimumDecay: Double = 0,
    firstStep: Int = 0
  ) {
    require(
      0...1 ~= decay && 0...1 ~= minimumDecay, "an average with a decay of \(decay), at least \(minimumDecay)"
    )
    self.decay = decay
    self.warmup = warmup
    self.minimumDecay = minimumDecay
    self.firstStep = firstStep
    let entries = model.averagedEntries
    names = entries.map(\.name)
    averages = entries.map(\.value)
  }

  /// The decay of a step, counted from 1; 0 copies the weights.
  public func decay(at step: Int) -> Double {
    let t = Double(step - firstStep - 1)
    guard t > 0 else { return 0 }
    let rising =
      switch warmup {
      case .none: decay
      case .power(let gamma, let exponent): 1 - pow(1 + t / gamma, -exponent)
      case .ratio: (1 + t) / (10 + t)
      }
    return max(min(rising, decay), minimumDecay)
  }

  /// Takes the weights of one more step in.
  public func update(_ model: some Module) {
    require(!isSwappedIn, "the averages stand in the model: its weights cannot be averaged")
    steps += 1
    let share = Float(1 - decay(at: steps))
    let entries = model.averagedEntries
    requireOwn(entries)
    for (index, entry) in entries.enumerated() {
      let value = entry.value
      if share == 1 || !entry.isTrained {
        averages[index] = value
        continue
      }
      value.cast(to: .float32).withUnsafeValues { values in
        averages[index].withUnsafeMutableValues { average in
          Parallel.forEachRange(average.count, grain: 16_384) { range in
            let (average, values) = (
              UnsafeMutableBufferPointer(rebasing: average[range]),
              UnsafeBufferPointer(rebasing: values[range])
            )
            for i in average.indices { average[i] += share * (values[i] - average[i]) }
          }
        }
      }
    }
  }

  /// Runs `body`, an evaluation or the saving of weights, while the model has the averages for weights; then it has its own again, bit for bit.
  public func withAverages<Result, Failure: Error>(
    in model: some Module, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    require(!isSwappedIn, "the averages stand in the model already")
    exchange(model)
    defer { exchange(model) }
    return try body()
  }

  private func exchange(_ model: some Module) {
    let entries = model.averagedEntries
    requireOwn(entries)
    for (index, entry) in entries.enumerated() {
      let own = entry.value
      entry.value = averages[index]
      averages[index] = own
    }
    isSwappedIn.toggle()
  }

  private func requireOwn(_ entries: [StateEntry]) {
    require(
      entries.map(\.name) == names && zip(entries, averages).allSatisfy { $0.shape == $1.shape },
      "an average of another model's weights")
  }

  /// The averages and the count of steps, under the model's names.
  public func state(of model: some Module) -> SavedState {
    require(!isSwappedIn, "the averages stand in the model: they cannot be saved apart from it")
    requireOwn(model.averagedEntries)
    return SavedState(
      tensors: zip(names, averages).map { ("average.\($0)", $1) }, numbers: ["steps": Double(steps)])
  }

  /// Takes the place of the averages.
  ///
  /// - Throws: ``SavedStateError``; nothing is changed then.
  public func restore(_ state: SavedState, of model: some Module) throws(SavedStateError) {
    require(!isSwappedIn, "the averages stand in the model: they cannot be replaced")
    requireOwn(model.averagedEntries)
    var reader = try SavedStateReader(state)
    let count = try reader.count("steps")
    var restored: [Tensor] = []
    for (name, average) in zip(names, averages) {
      restored.append(try reader.tensor("average.\(name)", average.shape))
    }
    try reader.finish()
    (steps, averages) = (count, restored)
  }
}

extension Module {
  /// Parameters and the buffers that can change.
  fileprivate var averagedEntries: [StateEntry] { stateEntries.filter { !$0.isFixed } }
}
