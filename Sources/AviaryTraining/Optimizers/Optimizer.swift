import AviaryLayers
import AviaryTensors

/// Changes parameters by their gradients. State is kept per parameter and only for those that ever had a gradient: a frozen
/// block costs none.
public protocol Optimizer: AnyObject {
  /// The step size; schedules change it between steps.
  var learningRate: Float { get set }

  /// One step by gradients that are known. Parameters without a gradient stay as they are.
  func update(_ model: some Module, _ gradients: Gradients)

  /// One step by a closure that works out loss and gradients with the weights the model has at that moment. Some optimisers call it several
  /// times; a loss that is not finite changes no weights.
  ///
  /// - Returns: The loss before the step.
  func step<Failure: Error>(
    _ model: some Module, _ evaluate: () throws(Failure) -> (value: Tensor, gradients: Gradients)
  ) throws(Failure) -> Tensor

  /// What has to be saved for training to go on bit for bit, under the model's names.
  func state(of model: some Module) -> SavedState

  /// Takes the place of whatever the optimiser kept before.
  ///
  /// - Throws: ``SavedStateError`` when an entry is missing, does not belong there or has another shape; nothing is changed then.
  func restore(_ state: SavedState, of model: some Module) throws(SavedStateError)
}

/// An optimiser that treats each value of each parameter alike, by its gradient alone, so that groups of parameters can have learning rates
/// and weight decays of their own.
public protocol FirstOrderOptimizer: Optimizer {
  /// Parameters with settings of their own; none at first.
  var groups: [ParameterGroup] { get set }
}

extension FirstOrderOptimizer {
  public func step<Failure: Error>(
    _ model: some Module, _ evaluate: () throws(Failure) -> (value: Tensor, gradients: Gradients)
  ) throws(Failure) -> Tensor {
    let (value, gradients) = try evaluate()
    if value.item().isFinite { update(model, gradients) }
    return value
  }
}

extension Gradients {
  /// Scales everything down so that the norm over all parameters is at most `limit` (Pascanu et al. 2013).
  public mutating func clip(norm limit: Float) {
    let norm = norm
    if norm > limit { scale(by: limit / norm) }
  }

  /// Cuts every element off at ±`limit`.
  public mutating func clip(value limit: Float) {
    require(limit >= 0, "gradients clipped at \(limit)")
    mapInPlace { $0.clipped(-limit, limit) }
  }
}
