import AviaryLayers
import AviaryTensors

/// A learner of one network with one optimiser, which brings the loss: steps, averages and what is saved are here.
public protocol SingleNetworkLearner: Learner {
  /// What learns.
  var network: any Module { get }
  /// What changes its weights.
  var optimizer: any Optimizer { get }
  /// Gradients longer than this are scaled down; nil for none.
  var gradientNormLimit: Float? { get }
  /// Averages of the weights, which are judged and saved in their place; nil for none.
  var average: ExponentialMovingAverage? { get }
}

extension SingleNetworkLearner {
  public var modules: [any Module] { [network] }
  public var optimizers: [any Optimizer] { [optimizer] }

  /// One step of the optimiser, which calls the closure as often as it needs the loss: L-BFGS several times. A loss that is not finite changes no
  /// weights.
  ///
  /// - Returns: The loss before the step.
  public func step<Failure: Error>(
    _ evaluate: () throws(Failure) -> (value: Tensor, gradients: Gradients)
  ) throws(Failure) -> Tensor {
    let loss = try optimizer.step(network) { () throws(Failure) in
      var (value, gradients) = try evaluate()
      // Such gradients have no length.
      if let limit = gradientNormLimit, value.item().isFinite { gradients.clip(norm: limit) }
      return (value, gradients)
    }
    if loss.item().isFinite { average?.update(network) }
    return loss
  }

  public func withWeightsForUse<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let average else { return try body() }
    return try average.withAverages(in: network, body)
  }

  /// The optimiser's state, and the averages where some are kept.
  public func savedStates() -> [String: SavedState] {
    var states = ["optimizer": optimizer.state(of: network)]
    states["average"] = average?.state(of: network)
    return states
  }

  public func restore(_ states: [String: SavedState]) throws(SavedStateError) {
    guard let state = states["optimizer"] else { throw .missing("optimizer") }
    guard (average == nil) == (states["average"] == nil) else {
      throw average == nil ? .unexpected("average") : .missing("average")
    }
    try optimizer.restore(state, of: network)
    if let state = states["average"] { try average?.restore(state, of: network) }
  }
}
