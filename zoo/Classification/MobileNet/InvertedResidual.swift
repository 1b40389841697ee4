import AviaryLayers
import AviaryTensors

/// What differs between two frameworks' networks whose convolutions are the same.
struct ConvolutionStyle: Sendable, Hashable {
  /// The zeros around convolutions that halve the resolution; the others keep it.
  enum StridedPadding: Sendable, Hashable {
    /// The same on all sides.
    case symmetric
    /// TensorFlow's SAME: one more at the end where the input's extent is even.
    case same
    /// One more at the end always: Keras, where a network does not know its input's size.
    case uneven
  }

  let batchNorm: BatchNormStyle
  let strided: StridedPadding
  /// Whether batch normalization is never trained, as in detectors' bodies.
  var isFrozen = false

  static let torch = ConvolutionStyle(batchNorm: .torch, strided: .symmetric)

  func padding(kernel: Int, stride: Int) -> LayerPadding {
    let half = Extents(kernel / 2)
    guard stride > 1 else { return .symmetric(half) }
    switch strided {
    case .symmetric: return .symmetric(half)
    case .same: return .same
    case .uneven: return .explicit(before: Extents(kernel / 2 - 1), after: half)
    }
  }

  /// A convolution without bias, its normalization, an activation: the places 0, 1 and 2 of a sequence.
  func unit(
    _ inputs: Int, _ outputs: Int, kernel: Int = 1, stride: Int = 1, groups: Int = 1,
    _ activation: Activation?
  ) -> Sequential {
    let convolution = Conv2d(
      inputs, outputs, kernel: Extents(kernel), stride: Extents(stride),
      padding: padding(kernel: kernel, stride: stride), groups: groups, bias: false,
      initializer: .kaimingNormal(fan: .output))
    let norm: any Layer =
      isFrozen ? FrozenBatchNorm(outputs, epsilon: batchNorm.epsilon) : batchNorm(outputs)
    return Sequential([convolution, norm] + (activation.map { [Activate($0)] } ?? []))
  }
}

/// A 1×1 convolution to more channels, a depthwise one, squeeze-and-excitation, a 1×1 convolution to fewer channels without activation, and
/// a shortcut between the narrow ends (Sandler et al. 2018, figure 3b; Howard et al. 2019, figure 4).
package final class InvertedResidual: Layer, Container {
  struct Configuration: Sendable, Hashable {
    var inputs: Int
    /// Channels of the depthwise convolution; the first convolution is left out where these are the inputs'.
    var expanded: Int
    var outputs: Int
    var kernel = 3
    var stride = 1
    var activation: Activation
    var squeeze: Squeeze?
  }

  struct Squeeze: Sendable, Hashable {
    var channels: Int
    var activation: Activation
    var gate: Activation
  }

  /// What torchvision calls the layers.
  enum Naming: String { case conv, block }

  private let naming: Naming
  private let layers: Sequential
  private let dropPath: DropPath
  private let hasShortcut: Bool

  init(
    _ configuration: Configuration, _ style: ConvolutionStyle, naming: Naming = .block, dropPath: Float = 0
  ) {
    let (expanded, outputs) = (configuration.expanded, configuration.outputs)
    var layers: [any Layer] = []
    if expanded != configuration.inputs {
      layers.append(style.unit(configuration.inputs, expanded, configuration.activation))
    }
    layers.append(
      style.unit(
        expanded, expanded, kernel: configuration.kernel, stride: configuration.stride, groups: expanded,
        configuration.activation))
    if let squeeze = configuration.squeeze {
      layers.append(
        SqueezeExcitation(
          expanded, squeezed: squeeze.channels, activation: squeeze.activation, gate: squeeze.gate,
          initializer: .kaimingNormal(fan: .output)))
    }
    let projection = style.unit(expanded, outputs, nil)
    switch naming {
    case .conv: layers += projection.layers
    case .block: layers.append(projection)
    }
    self.naming = naming
    self.layers = Sequential(layers)
    self.dropPath = DropPath(dropPath)
    hasShortcut = configuration.stride == 1 && configuration.inputs == outputs
  }

  /// The layers, under torchvision's name for their sequence.
  package var namedChildren: [(name: String, module: any Module)] {
    [(naming.rawValue, layers), ("", dropPath)]
  }

  /// N×C×H×W to N×O×H×W, or half of H and W; with stride 1 and C = O the input is added.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    hasShortcut ? input + dropPath(layers(input)) : layers(input)
  }
}

/// `channels` times a width, to the nearest multiple of 8, but never less than nine tenths of the exact number.
func roundedToEights(_ channels: Int, times width: Double = 1) -> Int {
  let exact = Double(channels) * width
  let rounded = max(8, Int(exact + 4) / 8 * 8)
  return Double(rounded) < 0.9 * exact ? rounded + 8 : rounded
}
