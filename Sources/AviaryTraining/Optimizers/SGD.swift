import AviaryLayers
import AviaryTensors

/// Stochastic gradient descent, plain, with momentum (Sutskever et al. 2013) or with Nesterov's.
///
/// v ← μ·v + g + λ·w; w ← w − η·v, as PyTorch counts it.
public final class SGD: Optimizer {
  public var learningRate: Float
  /// How much of the last step goes into the next one; 0 for none.
  public let momentum: Float
  /// What of a weight counts as gradient.
  public let weightDecay: Float
  /// Whether the gradient counts as if the step of the momentum were taken already (Nesterov 1983).
  public let usesNesterov: Bool
  private var state = OptimizerState()

  /// Gradient descent, with momentum where it is not 0.
  public init(
    learningRate: Float, momentum: Float = 0, weightDecay: Float = 0, usesNesterov: Bool = false
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.usesNesterov = usesNesterov
  }

  public func update(_ model: some Module, _ gradients: Gradients) {
    let (rate, momentum, decay, nesterov) = (learningRate, momentum, weightDecay, usesNesterov)
    for parameter in model.parameters {
      guard let gradient = gradients[parameter] else { continue }
      state.step(parameter, gradient, slots: momentum == 0 ? 0 : 1) { values, gradient, state in
        if momentum == 0 {
          for i in values.indices { values[i] -= rate * (gradient[i] + decay * values[i]) }
          return
        }
        let velocity = state[0]
        for i in values.indices {
          let g = gradient[i] + decay * values[i]
          velocity[i] = momentum * velocity[i] + g
          values[i] -= rate * (nesterov ? g + momentum * velocity[i] : velocity[i])
        }
      }
    }
  }
}
