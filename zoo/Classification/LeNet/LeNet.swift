import AviaryLayers
import AviaryTensors

/// LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998, "Gradient-Based Learning Applied to Document Recognition", figure 2).
///
/// Two stages of convolution and subsampling, then three linear layers. Input N×1×28×28 in 0…1, digits white on black.
public final class LeNet: StagedModel {
  /// C1, 5×5.
  package let conv1: Conv2d
  /// C3, 5×5; it reads all maps of S2, where the paper's reads some (table I).
  package let conv2: Conv2d
  /// C5, whose 5×5 kernels cover all of S4: a linear layer.
  package let fc1: Linear
  /// F6.
  package let fc2: Linear
  /// The output layer: a logit per class.
  package let fc3: Linear
  private let configuration: Configuration

  /// What differs between the networks that go by this name.
  public struct Configuration: Sendable, Hashable {
    /// Channels of C1 and C3.
    public var filters: (Int, Int) { (first, second) }
    let first: Int
    let second: Int
    /// Zeros around the 28×28 picture; the paper's input is 32×32.
    let padding: Int
    let activation: Activation
    let pooling: PoolingKind
    /// Units of C5 and F6.
    let hidden: [Int]

    /// What S2 and S4 take of each 2×2 window.
    public enum PoolingKind: Sendable, Hashable {
      /// The mean, as in the paper but for its trained scale and bias.
      case average
      /// The largest value.
      case maximum
    }

    /// The paper's widths, padding, tanh and averages; the last layer is linear with a softmax instead of radial basis functions.
    public static let lenet5 = Configuration(
      first: 6, second: 16, padding: 2, activation: .tanh, pooling: .average, hidden: [120, 84])
    /// A wide variant that is common for MNIST: 32 and 64 filters, no padding, ReLU and maxima.
    public static let wide = Configuration(
      first: 32, second: 64, padding: 0, activation: .relu, pooling: .maximum, hidden: [120, 84])
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = .lenet5, classes: Int = 10) {
    self.configuration = configuration
    let (c1, c3) = configuration.filters
    let side = ((28 + 2 * configuration.padding - 4) / 2 - 4) / 2
    let gain: Float = configuration.activation == .tanh ? 5 / 3 : 2
    conv1 = Conv2d(
      1, c1, kernel: 5, padding: .symmetric(Extents(configuration.padding)),
      initializer: .xavierUniform(gain: gain))
    conv2 = Conv2d(c1, c3, kernel: 5, initializer: .xavierUniform(gain: gain))
    fc1 = Linear(c3 * side * side, configuration.hidden[0], initializer: .xavierUniform(gain: gain))
    fc2 = Linear(configuration.hidden[0], configuration.hidden[1], initializer: .xavierUniform(gain: gain))
    fc3 = Linear(configuration.hidden[1], classes, initializer: .xavierUniform())
  }

  /// C1 and S2, C3 and S4, C5 and F6, then the output layer.
  public var stages: [Stage] {
    let activate = Activate(configuration.activation)
    let pool: any Layer =
      configuration.pooling == .average ? AvgPool2d(kernel: 2) : MaxPool2d(kernel: 2)
    return [
      Stage("block1", [("conv1", conv1), ("", activate), ("", pool)]),
      Stage("block2", [("conv2", conv2), ("", activate), ("", pool)]),
      Stage("hidden", [("", Flatten()), ("fc1", fc1), ("", activate), ("fc2", fc2), ("", activate)]),
      Stage("classifier", [("fc3", fc3)]),
    ]
  }
}

extension LeNet {
  static let entries = [
    ZooEntry(
      "lenet",
      [
        Dialect("lenet5", nameMaps: ["keras_lenet5"], .digits, labels: .digits) {
          LeNet(.lenet5, classes: $0)
        },
        Dialect("keras_wide", nameMaps: ["keras_lenet"], .digits, labels: .digits) {
          LeNet(.wide, classes: $0)
        },
      ])
  ]
}
