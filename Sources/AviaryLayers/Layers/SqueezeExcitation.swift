import AviaryTensors

/// Each channel of N×C×H×W multiplied by a number from 0 to 1 that all channels' means decide (Hu, Shen & Sun 2018, "Squeeze-and-Excitation
/// Networks", arXiv:1709.01507, equations 2 to 4).
public final class SqueezeExcitation: Layer {
  /// W₁ of equation 3: C to the squeezed channels, as a 1×1 convolution.
  public let fc1: Conv2d
  /// W₂ of equation 3: the squeezed channels to C, as a 1×1 convolution.
  public let fc2: Conv2d
  private let activation: Activation
  private let gate: Activation

  /// - Parameters:
  ///   - squeezed: channels between the two linear maps.
  ///   - activation: δ of equation 3.
  ///   - gate: σ of equation 3.
  public init(
    _ channels: Int, squeezed: Int, activation: Activation = .relu, gate: Activation = .sigmoid,
    initializer: Initializer? = nil
  ) {
    fc1 = Conv2d(channels, squeezed, kernel: 1, initializer: initializer)
    fc2 = Conv2d(squeezed, channels, kernel: 1, initializer: initializer)
    self.activation = activation
    self.gate = gate
  }

  /// N×C×H×W to the same.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    input * gate(fc2(activation(fc1(input.adaptiveAveragePooled(to: [1, 1])))))
  }
}
