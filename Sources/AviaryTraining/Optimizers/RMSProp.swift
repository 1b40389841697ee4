import AviaryLayers
import AviaryTensors

/// RMSProp (Tieleman & Hinton 2012): v ← αv + (1 − α)g²; w ← w − η·g / (√v + ε).
///
/// Centred (Graves 2013) it divides by the standard deviation √(v − m²) instead, with the running mean m of the gradient; with momentum the
/// steps b ← μ·b + g / (√v + ε) are what the weights are changed by.
public final class RMSProp: FirstOrderOptimizer {
  public var learningRate: Float
  public var groups: [ParameterGroup] = []
  /// α: how much of the running mean of the squared gradient is kept at each step.
  public let decay: Float
  /// Added to the root of the mean square, against division by 0.
  public let epsilon: Float
  /// What of a weight counts as gradient.
  public let weightDecay: Float
  /// μ: how much of the last step goes into the next one; 0 for none.
  public let momentum: Float
  /// Whether the mean of the gradient is taken off its square.
  public let isCentered: Bool
  private var memory: OptimizerMemory

  /// RMSProp with PyTorch's defaults.
  public init(
    learningRate: Float = 1e-2, decay: Float = 0.99, epsilon: Float = 1e-8, weightDecay: Float = 0,
    momentum: Float = 0, isCentered: Bool = false
  ) {
    self.learningRate = learningRate
    self.decay = decay
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.momentum = momentum
    self.isCentered = isCentered
    memory = OptimizerMemory(
      [.init(name: "square_avg")] + (momentum == 0 ? [] : [.init(name: "momentum_buffer")])
        + (isCentered ? [.init(name: "grad_avg")] : []))
  }

  public func update(_ model: some Module, _ gradients: Gradients) {
    let (baseRate, alpha, epsilon) = (learningRate, decay, epsilon)
    let (momentum, isCentered) = (momentum, isCentered)
    memory.step(model, gradients, groups, weightDecay: weightDecay) { settings, values, gradient, state in
      let (rate, decay) = (baseRate * settings.rateFactor, settings.weightDecay)
      let v = state[0]
      if momentum == 0, !isCentered {
        for i in values.indices {
          let g = gradient[i] + decay * values[i]
          v[i] = alpha * v[i] + (1 - alpha) * g * g
          values[i] -= rate * g / (v[i].squareRoot() + epsilon)
        }
        return
      }
      let (velocity, mean) = (momentum == 0 ? nil : state[1], isCentered ? state.last : nil)
      for i in values.indices {
        let g = gradient[i] + decay * values[i]
        v[i] = alpha * v[i] + (1 - alpha) * g * g
        var spread = v[i]
        if let mean {
          mean[i] += (1 - alpha) * (g - mean[i])
          spread -= mean[i] * mean[i]
        }
        var step = g / (spread.squareRoot() + epsilon)
        if let velocity {
          step += momentum * velocity[i]
          velocity[i] = step
        }
        values[i] -= rate * step
      }
    }
  }

  public func state(of model: some Module) -> SavedState { memory.saved(of: model) }

  public func restore(_ state: SavedState, of model: some Module) throws(SavedStateError) {
    try memory.restore(state, of: model)
  }
}
