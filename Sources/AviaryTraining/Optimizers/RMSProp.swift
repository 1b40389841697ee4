import AviaryLayers
import AviaryTensors

/// RMSProp (Tieleman & Hinton 2012): v ← αv + (1 − α)g²; w ← w − η·g / (√v + ε).
public final class RMSProp: Optimizer {
  public var learningRate: Float
  public let decay: Float
  public let epsilon: Float
  private var state = OptimizerState()

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
