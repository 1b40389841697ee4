import AviaryLayers
import AviaryTensors

/// RMSProp (Tieleman & Hinton 2012): v ← αv + (1 − α)g²; w ← w − η·g / (√v + ε).
public final class RMSProp: Optimizer {
  public var learningRate: Float
  /// How much of the running mean of the squared gradient is kept at each step.
  public let decay: Float
  /// Added to the root of the mean square, against division by 0.
  public let epsilon: Float
  private var state = OptimizerState()

  /// RMSProp with PyTorch's defaults.
  public init(learningRate: Float = 1e-2, decay: Float = 0.99, epsilon: Float = 1e-8) {
    self.learningRate = learningRate
    self.decay = decay
    self.epsilon = epsilon
  }

  public func update(_ model: some Module, _ gradients: Gradients) {
    let (rate, decay, epsilon) = (learningRate, decay, epsilon)
    for parameter in model.parameters {
      guard let gradient = gradients[parameter] else { continue }
      state.step(parameter, gradient, slots: 1) { values, gradient, state in
        let v = state[0]
        for i in values.indices {
          v[i] = decay * v[i] + (1 - decay) * gradient[i] * gradient[i]
          values[i] -= rate * gradient[i] / (v[i].squareRoot() + epsilon)
        }
      }
    }
  }
}
