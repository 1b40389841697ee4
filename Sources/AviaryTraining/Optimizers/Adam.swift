import AviaryLayers
import AviaryTensors
import Foundation

/// Adam (Kingma & Ba 2015), or AdamW (Loshchilov & Hutter 2019) when the weight decay is decoupled.
///
/// m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; w ← w − η·m̂ / (√v̂ + ε), with m̂ and v̂ corrected for their start at 0. AMSGrad (Reddi et
/// al. 2018) divides by the largest v so far.
public final class Adam: FirstOrderOptimizer {
  public var learningRate: Float
  public var groups: [ParameterGroup] = []
  /// How much of the running means of the gradient and of its square is kept at each step.
  public let betas: (Float, Float)
  /// Added to the root of the mean square, against division by 0.
  public let epsilon: Float
  /// What of a weight counts as gradient, or, decoupled, is taken off at each step times the learning rate.
  public let weightDecay: Float
  /// Decoupled decay shrinks the weights themselves; otherwise it is added to the gradient.
  public let decouplesDecay: Bool
  /// Whether the largest mean square so far counts, so that steps never grow when gradients fade.
  public let usesAMSGrad: Bool
  private var memory: OptimizerMemory

  /// Adam with PyTorch's defaults.
  public init(
    learningRate: Float = 1e-3, betas: (Float, Float) = (0.9, 0.999), epsilon: Float = 1e-8,
    weightDecay: Float = 0, decouplesDecay: Bool = false, usesAMSGrad: Bool = false
  ) {
    self.learningRate = learningRate
    self.betas = betas
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.decouplesDecay = decouplesDecay
    self.usesAMSGrad = usesAMSGrad
    memory = OptimizerMemory(
      [.init(name: "exp_avg"), .init(name: "exp_avg_sq")]
        + (usesAMSGrad ? [.init(name: "max_exp_avg_sq")] : []))
  }

  /// AdamW with PyTorch's default decay.
  public static func decoupled(
    learningRate: Float = 1e-3, weightDecay: Float = 1e-2, usesAMSGrad: Bool = false
  ) -> Adam {
    Adam(
      learningRate: learningRate, weightDecay: weightDecay, decouplesDecay: true, usesAMSGrad: usesAMSGrad)
  }

  public func update(_ model: some Module, _ gradients: Gradients) {
    let (b1, b2) = betas
    let (learningRate, epsilon, decouplesDecay) = (learningRate, epsilon, decouplesDecay)
    let usesAMSGrad = usesAMSGrad
    memory.step(model, gradients, groups, weightDecay: weightDecay) { settings, values, gradient, state in
      let baseRate = learningRate * settings.rateFactor
      // 1 − βᵗ loses most of a Float's digits while t is small.
      let rate = baseRate / Float(1 - pow(Double(b1), Double(settings.count)))
      let correction = Float((1 - pow(Double(b2), Double(settings.count))).squareRoot())
      let shrink = decouplesDecay ? 1 - baseRate * settings.weightDecay : 1
      let decay = decouplesDecay ? 0 : settings.weightDecay
      let (m, v) = (state[0], state[1])
      if usesAMSGrad {
        let largest = state[2]
        for i in values.indices {
          let g = gradient[i] + decay * values[i]
          m[i] = b1 * m[i] + (1 - b1) * g
          v[i] = b2 * v[i] + (1 - b2) * g * g
          largest[i] = max(largest[i], v[i])
          values[i] = values[i] * shrink - rate * m[i] / (largest[i].squareRoot() / correction + epsilon)
        }
        return
      }
      for i in values.indices {
        let g = gradient[i] + decay * values[i]
        m[i] = b1 * m[i] + (1 - b1) * g
        v[i] = b2 * v[i] + (1 - b2) * g * g
        values[i] = values[i] * shrink - rate * m[i] / (v[i].squareRoot() / correction + epsilon)
      }
    }
  }

  public func state(of model: some Module) -> SavedState { memory.saved(of: model) }

  public func restore(_ state: SavedState, of model: some Module) throws(SavedStateError) {
    try memory.restore(state, of: model)
  }
}
