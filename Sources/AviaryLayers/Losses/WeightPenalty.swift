import AviaryTensors

/// A term of the loss that grows with the weights: λ₁·Σ|w| + λ₂·Σ w².
///
/// L1 (the lasso, Tibshirani 1996) drives weights to 0, L2 (ridge, Hoerl & Kennard 1970) keeps them small, both together are the elastic net
/// (Zou & Hastie 2005). An optimiser's weight decay λ is the gradient of an L2 penalty with λ₂ = λ/2.
public struct WeightPenalty: Sendable, Hashable, Codable {
  /// λ₁, of the sum of absolute values.
  public var l1: Float
  /// λ₂, of the sum of squares.
  public var l2: Float

  /// λ₁·Σ|w| + λ₂·Σ w².
  public init(l1: Float = 0, l2: Float = 0) {
    require(l1 >= 0 && l2 >= 0, "a penalty of \(l1) and \(l2)")
    self.l1 = l1
    self.l2 = l2
  }

  /// The penalty of some parameters of a model, one element, to be added to the loss inside ``valueAndGradient(of:_:)``. Frozen
  /// parameters count in the value and get no gradient.
  public func callAsFunction(_ model: some Module, _ selection: ParameterSelection = .matrices) -> Tensor {
    model.parameters(selection).reduce(Tensor(Float(0))) { sum, parameter in
      var sum = sum
      if l1 != 0 { sum = sum + parameter.value.abs().sum() * l1 }
      if l2 != 0 { sum = sum + parameter.value.square().sum() * l2 }
      return sum
    }
  }
}
