/// An activation function, element by element.
public enum Activation: Hashable, Sendable {
  /// max(x, 0).
  case relu
  /// min(max(x, 0), 6) (Howard et al. 2017).
  case relu6
  /// x for positive x, else `slope`·x.
  case leakyReLU(slope: Float = 0.01)
  /// x for positive x, else α(eˣ − 1) (Clevert et al. 2016).
  case elu(alpha: Float = 1)
  /// x·Φ(x) with the normal distribution function Φ (Hendrycks & Gimpel 2016).
  case gelu
  /// The same with Φ approximated through tanh.
  case geluTanh
  /// x·σ(x), also known as swish.
  case silu
  /// σ(x) = 1 / (1 + e⁻ˣ).
  case sigmoid
  /// (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ).
  case tanh
  /// min(max(x + 3, 0), 6) / 6 (Howard et al. 2019).
  case hardSigmoid
  /// x · hardSigmoid(x).
  case hardSwish
  /// log(1 + eˣ).
  case softplus

  /// The function of every element of a floating-point tensor, as float32.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    switch self {
    case .hardSigmoid: Eltwise.clip(0, 1)(input.affine(scale: 1 / 6, shift: 0.5))
    default: Eltwise(activation: self)(input)
    }
  }
}

extension Eltwise {
  fileprivate init(activation: Activation) {
    self =
      switch activation {
      case .relu: Eltwise("Relu", .relu)
      case .relu6: .clip(0, 6)
      case .leakyReLU(let slope): Eltwise("LeakyRelu", .relu, alpha: slope)
      case .elu(let alpha): Eltwise("Elu", .elu, alpha: alpha)
      case .gelu: Eltwise("Gelu", .geluErf)
      case .geluTanh: Eltwise("Gelu", .geluTanh)
      case .silu: Eltwise("Swish", .swish, alpha: 1)
      case .sigmoid: Eltwise("Sigmoid", .logistic)
      case .tanh: Eltwise("Tanh", .tanh)
      case .hardSwish: Eltwise("HardSwish", .hardSwish)
      case .softplus: Eltwise("Softplus", .softplus)
      case .hardSigmoid: requirementFailure("hard-sigmoid is composed")
      }
  }
}

extension Tensor {
  /// max(x, 0).
  public func relu() -> Tensor { Activation.relu(self) }
  /// 1 / (1 + e⁻ˣ).
  public func sigmoid() -> Tensor { Activation.sigmoid(self) }
  /// The hyperbolic tangent, (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ).
  public func tanh() -> Tensor { Activation.tanh(self) }
}
