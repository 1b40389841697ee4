import AviaryLayers
import AviaryTensors

/// Adds up the gradients of several small batches to those of one large batch, for batches that memory has no room for.
///
/// For losses that are means over examples, `weight` is the number of examples: then the mean is that over all of them, also when the last
/// batch is smaller.
public struct GradientAccumulation: Sendable {
  private var sum = Gradients()
  /// The sum of the weights so far.
  public private(set) var weight: Double = 0

  /// Nothing yet.
  public init() {}

  /// True when there is nothing to take a step by.
  public var isEmpty: Bool { weight == 0 }

  /// Adds the gradients of one batch, `weight` times.
  public mutating func add(_ gradients: Gradients, weight: Float = 1) {
    require(weight > 0, "gradients that count \(weight) times")
    sum.add(gradients, times: weight)
    self.weight += Double(weight)
  }

  /// The weighted mean of what was added; afterwards there is nothing.
  public mutating func takeMean() -> Gradients {
    require(!isEmpty, "the mean of no gradients")
    defer { self = GradientAccumulation() }
    var mean = sum
    mean.scale(by: Float(1 / weight))
    return mean
  }

  /// What has to be saved to go on between two batches of one step.
  public func state(of model: some Module) -> SavedState {
    SavedState(
      tensors: model.namedParameters.compactMap { name, parameter in
        sum[parameter].map { ("gradient.\(name)", $0) }
      }, numbers: ["weight": weight])
  }

  /// Takes the place of what was added before. Which parameters had gradients, the state decides.
  ///
  /// - Throws: ``SavedStateError``; nothing is changed then.
  public mutating func restore(_ state: SavedState, of model: some Module) throws(SavedStateError) {
    var reader = try SavedStateReader(state)
    let names = Set(state.tensors.map(\.name))
    var restored = GradientAccumulation()
    restored.weight = try reader.number("weight")
    guard restored.weight >= 0 else { throw .number("weight", given: restored.weight) }
    for (name, parameter) in model.namedParameters where names.contains("gradient.\(name)") {
      restored.sum[parameter] = try reader.tensor("gradient.\(name)", parameter.shape)
    }
    try reader.finish()
    self = restored
  }
}
