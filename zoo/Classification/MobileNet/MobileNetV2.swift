import AviaryLayers
import AviaryTensors
import AviaryVision

/// MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov & Chen 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv:1801.04381,
/// table 2).
///
/// Input N×3×224×224. Names as torchvision's; Keras' networks pad and normalize differently.
public final class MobileNetV2: StagedModel {
  /// The first convolution, the rows of bottlenecks and the last 1×1 convolution: to N×C×H/32×W/32.
  package let features: Sequential
  /// Dropout and a linear layer, on the mean over all places.
  package let classifier: Sequential

  /// The rows of table 2: expansion t, channels c, repetitions n, stride s of the first.
  private static let rows: [(t: Int, c: Int, n: Int, s: Int)] = [
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
  ]

  /// What differs between networks whose convolutions are the same.
  public enum Form: Sendable, Hashable {
    /// Symmetric padding, PyTorch's constants of batch normalization.
    case torchvision
    /// Padding as TensorFlow's SAME, Keras' constants of batch normalization.
    case keras

    var style: ConvolutionStyle {
      switch self {
      case .torchvision: .torch
      case .keras: ConvolutionStyle(batchNorm: .keras(momentum: 0.999), strided: .same)
      }
    }
  }

  /// - Parameter width: the multiplier of all channels; the last convolution gets no fewer than 1280.
  public init(width: Double = 1, _ form: Form = .torchvision, classes: Int = 1000, dropout: Float = 0.2) {
    let style = form.style
    var channels = roundedToEights(32, times: width)
    var layers: [any Layer] = [style.unit(3, channels, kernel: 3, stride: 2, .relu6)]
    for row in Self.rows {
      for index in 0..<row.n {
        let configuration = InvertedResidual.Configuration(
          inputs: channels, expanded: row.t * channels, outputs: roundedToEights(row.c, times: width),
          stride: index == 0 ? row.s : 1, activation: .relu6)
        layers.append(InvertedResidual(configuration, style, naming: .conv))
        channels = configuration.outputs
      }
    }
    let last = roundedToEights(1280, times: max(1, width))
    layers.append(style.unit(channels, last, .relu6))
    features = Sequential(layers)
    classifier = Sequential(
      Dropout(dropout), Linear(last, classes, initializer: .normal(standardDeviation: 0.01)))
  }

  /// The first convolution, a stage for each row of bottlenecks, the last convolution, the classifier.
  public var stages: [Stage] {
    var stages = [Stage("stem", "features", features, 0..<1)]
    var start = 1
    for (index, row) in Self.rows.enumerated() {
      stages.append(Stage("block\(index + 1)", "features", features, start..<(start + row.n)))
      start += row.n
    }
    return stages + [
      Stage("last", "features", features, start..<features.count),
      Stage("classifier", [("", GlobalAvgPool()), ("classifier", classifier)]),
    ]
  }
}

extension MobileNetV2 {
  /// The width multipliers that weights are published for; torchvision has the whole network.
  static let entries: [ZooEntry] = [1, 0.35, 0.5, 0.75, 1.3, 1.4].map { width in
    let torchvision = Dialect("tv_v1", .torchvision) { MobileNetV2(width: width, classes: $0) }
    let keras = Dialect("keras", nameMaps: ["keras_mobilenet_v2"], .tf.rounded(.nearest)) {
      MobileNetV2(width: width, .keras, classes: $0)
    }
    return ZooEntry(
      width == 1 ? "mobilenet_v2" : "mobilenet_v2_\(width)", smallestSide: 32,
      width == 1 ? [torchvision, torchvision.retrained("tv_v2", .torchvisionV2), keras] : [keras])
  }
}
