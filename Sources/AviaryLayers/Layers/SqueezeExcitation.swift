import AviaryTensors

/// Each channel of N×C×H×W multiplied by a number from 0 to 1 that all channels' means decide (Hu, Shen & Sun 2018, "Squeeze-and-Excitation
/// Networks", arXiv:1709.01507, equations 2 to 4).
public final class SqueezeExcitation: Layer {
  public let fc1: Conv2d
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

  public func callAsFunction(_ input: Tensor) -> Tensor {
    input * gate(fc2(activation(fc1(input.adaptiveAveragePooled(to: [1, 1])))))
  }
}
