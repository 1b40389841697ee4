import AviaryLayers
import AviaryTensors
import AviaryVision

/// EfficientNet (Tan & Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", arXiv:1905.11946, table 1).
///
/// Input N×3×H×W; each variant has a resolution of its own. Names as torchvision's; Keras' networks pad and normalize differently.
public final class EfficientNet: StagedModel {
  /// Stages 1 to 8 of table 1 and the 1×1 convolution of stage 9: N×3×H×W to N×C×H/32×W/32.
  package let features: Sequential
  /// Dropout and the linear layer of stage 9.
  package let classifier: Sequential
  /// The scaling of pixels that Keras keeps among the weights; nil in torchvision's form.
  package let normalization: PixelNormalization?

  /// Stages 2 to 8 of table 1: expansion of the MBConv blocks, kernel, stride of the first, channels, layers.
  private static let rows: [(expansion: Int, kernel: Int, stride: Int, channels: Int, layers: Int)] = [
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
  ]

  /// A variant by compound scaling (equation 3).
  public struct Configuration: Sendable, Hashable {
    /// The multiplier of channels.
    public let width: Double
    /// The multiplier of layers.
    public let depth: Double
    /// The share of features dropped before the last linear layer while training.
    public let dropout: Float

    /// The network of table 1, which the others are scaled from.
    public static let b0 = Configuration(width: 1, depth: 1, dropout: 0.2)
    /// B1: more layers, no more channels than B0.
    public static let b1 = Configuration(width: 1, depth: 1.1, dropout: 0.2)
    /// B2: 1.1 times the channels and 1.2 times the layers of B0.
    public static let b2 = Configuration(width: 1.1, depth: 1.2, dropout: 0.3)
    /// B3: 1.2 times the channels and 1.4 times the layers of B0.
    public static let b3 = Configuration(width: 1.2, depth: 1.4, dropout: 0.3)
  }

  /// What differs between networks whose convolutions are the same.
  public enum Form: Sendable, Hashable {
    /// Symmetric padding, PyTorch's constants of batch normalization.
    case torchvision
    /// Padding as TensorFlow's SAME, Keras' constants, and the statistics of pixels among the weights.
    case keras

    var style: ConvolutionStyle {
      switch self {
      case .torchvision: .torch
      case .keras: ConvolutionStyle(batchNorm: .keras(), strided: .same)
      }
    }
  }

  /// - Parameter dropPath: the share of residual branches dropped behind the last block while training; earlier ones less.
  public init(
    _ configuration: Configuration, _ form: Form = .torchvision, classes: Int = 1000, dropPath: Float = 0.2
  ) {
    let style = form.style
    let depths = Self.rows.map { Int((Double($0.layers) * configuration.depth).rounded(.up)) }
    let total = Float(depths.reduce(0, +))
    var channels = roundedToEights(32, times: configuration.width)
    var layers: [any Layer] = [style.unit(3, channels, kernel: 3, stride: 2, .silu)]
    var block = 0
    for (stage, depth) in zip(Self.rows, depths) {
      let outputs = roundedToEights(stage.channels, times: configuration.width)
      layers.append(
        Sequential(
          (0..<depth).map { index in
            defer {
              channels = outputs
              block += 1
            }
            return InvertedResidual(
              .init(
                inputs: channels, expanded: stage.expansion * channels, outputs: outputs,
                kernel: stage.kernel, stride: index == 0 ? stage.stride : 1, activation: .silu,
                squeeze: .init(channels: max(1, channels / 4), activation: .silu, gate: .sigmoid)),
              style, dropPath: dropPath * Float(block) / total)
          }))
    }
    layers.append(style.unit(channels, 4 * channels, .silu))
    features = Sequential(layers)
    let bound = 1 / Float(classes).squareRoot()
    classifier = Sequential(
      Dropout(configuration.dropout), Linear(4 * channels, classes, initializer: .uniform(-bound..<bound)))
    normalization = form == .keras ? PixelNormalization() : nil
  }

  /// As table 1 counts them; the last one's pooling and linear layer are the classifier.
  public var stages: [Stage] {
    var stages = (0..<features.count).map {
      Stage("stage\($0 + 1)", "features", features, $0..<($0 + 1))
    }
    if let normalization {
      stages[0] = Stage("stage1", [("normalization", normalization)] + stages[0].layers)
    }
    return stages + [Stage("classifier", [("", GlobalAvgPool()), ("classifier", classifier)])]
  }
}

extension EfficientNet {
  static let pixelMean: [Float] = [0.485, 0.456, 0.406]
  static let pixelDeviation: [Float] = [0.229, 0.224, 0.225]

  /// The variants up to B3, with the sizes that torchvision's and Keras' weights were measured at.
  static let entries: [ZooEntry] = [
    entry("efficientnet_b0", .b0, resize: 256, crop: 224, keras: 224),
    entry("efficientnet_b1", .b1, resize: 256, crop: 240, keras: 240),
    entry("efficientnet_b2", .b2, resize: 288, crop: 288, keras: 260),
    entry("efficientnet_b3", .b3, resize: 320, crop: 300, keras: 300),
  ]

  private static func entry(
    _ name: String, _ configuration: Configuration, resize: Int, crop: Int, keras side: Int
  ) -> ZooEntry {
    func preprocessing(_ resize: Int, _ crop: Int) -> Preprocessing {
      Preprocessing(
        resize: .shortSide(resize), interpolation: .bicubic, crop: crop, mean: pixelMean, std: pixelDeviation)
    }
    let torchvision = Dialect("tv_v1", preprocessing(resize, crop)) {
      EfficientNet(configuration, classes: $0)
    }
    let retrained =
      name == "efficientnet_b1"
      ? [torchvision.retrained("tv_v2", .torchvision.sized(resize: .shortSide(255), crop: 240))] : []
    // The authors cut off 32 pixels of a picture resized to 32 more than its network takes.
    let keras = Dialect(
      "keras", nameMaps: ["keras_efficientnet"], preprocessing(side + 32, side).rounded(.nearest)
    ) { EfficientNet(configuration, .keras, classes: $0) }
    return ZooEntry(name, smallestSide: 32, [torchvision] + retrained + [keras])
  }
}
