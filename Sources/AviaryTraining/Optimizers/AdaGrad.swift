import AviaryLayers
import AviaryTensors

/// AdaGrad (Duchi et al. 2011): s ← s + g²; w ← w − η·g / (√s + ε).
public final class AdaGrad: FirstOrderOptimizer {
  public var learningRate: Float
  public var groups: [ParameterGroup] = []
  /// In step t the learning rate is η / (1 + (t − 1)·`rateDecay`).
  public let rateDecay: Float
  /// What of a weight counts as gradient.
  public let weightDecay: Float
  /// Added to the root of the sum, against division by 0.
  public let epsilon: Float
  private var memory: OptimizerMemory

  /// AdaGrad with PyTorch's defaults; `initialSum` is what s begins with.
  public init(
    learningRate: Float = 1e-2, rateDecay: Float = 0, weightDecay: Float = 0, initialSum: Float = 0,
    epsilon: Float = 1e-10
  ) {
    self.learningRate = learningRate
    self.rateDecay = rateDecay
    self.weightDecay = weightDecay
    self.epsilon = epsilon
    memory = OptimizerMemory([.init(name: "sum", start: initialSum)])
  }

  public func update(_ model: some Module, _ gradients: Gradients) {
    let (baseRate, rateDecay, epsilon) = (learningRate, rateDecay, epsilon)
    memory.step(model, gradients, groups, weightDecay: weightDecay) { settings, values, gradient, state in
      let rate = baseRate * settings.rateFactor / (1 + Float(settings.count - 1) * rateDecay)
      let (decay, sum) = (settings.weightDecay, state[0])
      for i in values.indices {
        let g = gradient[i] + decay * values[i]
        sum[i] += g * g
        values[i] -= rate * g / (sum[i].squareRoot() + epsilon)
      }
    }
  }

  public func state(of model: some Module) -> SavedState { memory.saved(of: model) }

  public func restore(_ state: SavedState, of model: some Module) throws(SavedStateError) {
    try memory.restore(state, of: model)
  }
}
