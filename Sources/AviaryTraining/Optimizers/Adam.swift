import AviaryLayers
import AviaryTensors
import Foundation

/// Adam (Kingma & Ba 2015), or AdamW (Loshchilov & Hutter 2019) when the weight decay is decoupled.
///
/// m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; w ← w − η·m̂ / (√v̂ + ε), with m̂ and v̂ corrected for their start at 0.
public final class Adam: Optimizer {
  public var learningRate: Float
  /// How much of the running means of the gradient and of its square is kept at each step.
  public let betas: (Float, Float)
  /// Added to the root of the mean square, against division by 0.
  public let epsilon: Float
  /// What of a weight counts as gradient, or, decoupled, is taken off at each step times the learning rate.
  public let weightDecay: Float
  /// Decoupled decay shrinks the weights themselves; otherwise it is added to the gradient.
  public let decouplesDecay: Bool
  private var state = OptimizerState()
  private var steps = 0

  /// Adam with PyTorch's defaults.
  public init(
    learningRate: Float = 1e-3, betas: (Float, Float) = (0.9, 0.999), epsilon: Float = 1e-8,
    weightDecay: Float = 0,
    decouplesDecay: Bool = false
  ) {
    self.learningRate = learningRate
    self.betas = betas
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.decouplesDecay = decouplesDecay
  }

  /// AdamW with PyTorch's default decay.
  public static func decoupled(learningRate: Float = 1e-3, weightDecay: Float = 1e-2) -> Adam {
    Adam(learningRate: learningRate, weightDecay: weightDecay, decouplesDecay: true)
  }

  public func update(_ model: some Module, _ gradients: Gradients) {
    steps += 1
    let (b1, b2) = betas
    let correction1 = 1 - powf(b1, Float(steps))
    let correction2 = (1 - powf(b2, Float(steps))).squareRoot()
    let rate = learningRate / correction1
    let shrink = decouplesDecay ? 1 - learningRate * weightDecay : 1
    let decay = decouplesDecay ? 0 : weightDecay
    let epsilon = epsilon
    for parameter in model.parameters {
      guard let gradient = gradients[parameter] else { continue }
      state.step(parameter, gradient, slots: 2) { values, gradient, state in
        let (m, v) = (state[0], state[1])
        for i in values.indices {
          let g = gradient[i] + decay * values[i]
          m[i] = b1 * m[i] + (1 - b1) * g
          v[i] = b2 * v[i] + (1 - b2) * g * g
          values[i] = values[i] * shrink - rate * m[i] / (v[i].squareRoot() / correction2 + epsilon)
        }
      }
    }
  }
}
