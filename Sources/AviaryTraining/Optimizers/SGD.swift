import AviaryLayers
import AviaryTensors

/// Stochastic gradient descent, plain, with momentum or with Nesterov's, with weight decay λ in the gradient g ← g + λ·w.
public final class SGD: FirstOrderOptimizer {
  /// Where the learning rate η stands in the momentum: the same steps while it stays the same, different ones when a schedule changes it.
  public enum Convention: String, Sendable, Hashable, Codable {
    /// v ← μ·v + (1 − τ)·g; w ← w − η·v, as PyTorch has it. A new rate counts for the old momentum too. The first v is g, undamped.
    case rateOutside
    /// v ← μ·v − η·g; w ← w + v, as Sutskever et al. 2013 write it, TensorFlow and Keras.
    case rateInside
  }

  public var learningRate: Float
  public var groups: [ParameterGroup] = []
  /// μ: how much of the last step goes into the next one; 0 for none.
  public let momentum: Float
  /// τ: how much of the gradient is kept out of the momentum (``Convention/rateOutside`` only).
  public let dampening: Float
  /// λ: what of a weight counts as gradient.
  public let weightDecay: Float
  /// Whether the gradient counts as if the step of the momentum were taken already (Nesterov 1983).
  public let usesNesterov: Bool
  /// Where the learning rate stands.
  public let convention: Convention
  private var memory: OptimizerMemory

  /// Gradient descent, with momentum where it is not 0.
  public init(
    learningRate: Float, momentum: Float = 0, dampening: Float = 0, weightDecay: Float = 0,
    usesNesterov: Bool = false, convention: Convention = .rateOutside
  ) {
    require(
      dampening == 0 || (convention == .rateOutside && !usesNesterov),
      "dampening is of PyTorch's momentum without Nesterov's")
    self.learningRate = learningRate
    self.momentum = momentum
    self.dampening = dampening
    self.weightDecay = weightDecay
    self.usesNesterov = usesNesterov
    self.convention = convention
    memory = OptimizerMemory(momentum == 0 ? [] : [.init(name: "momentum_buffer")])
  }

  public func update(_ model: some Module, _ gradients: Gradients) {
    let (baseRate, momentum, dampening) = (learningRate, momentum, dampening)
    let (nesterov, convention) = (usesNesterov, convention)
    memory.step(model, gradients, groups, weightDecay: weightDecay) { settings, values, gradient, state in
      let (rate, decay) = (baseRate * settings.rateFactor, settings.weightDecay)
      if momentum == 0 {
        for i in values.indices { values[i] -= rate * (gradient[i] + decay * values[i]) }
        return
      }
      let velocity = state[0]
      switch convention {
      case .rateOutside:
        let share = settings.count == 1 ? 1 : 1 - dampening
        for i in values.indices {
          let g = gradient[i] + decay * values[i]
          velocity[i] = momentum * velocity[i] + share * g
          values[i] -= rate * (nesterov ? g + momentum * velocity[i] : velocity[i])
        }
      case .rateInside:
        for i in values.indices {
          let step = rate * (gradient[i] + decay * values[i])
          velocity[i] = momentum * velocity[i] - step
          values[i] += nesterov ? momentum * velocity[i] - step : velocity[i]
        }
      }
    }
  }

  public func state(of model: some Module) -> SavedState { memory.saved(of: model) }

  public func restore(_ state: SavedState, of model: some Module) throws(SavedStateError) {
    try memory.restore(state, of: model)
  }
}
