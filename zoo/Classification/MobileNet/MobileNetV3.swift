import AviaryLayers
import AviaryTensors
import AviaryVision

/// MobileNetV3 (Howard et al. 2019, "Searching for MobileNetV3", arXiv:1905.02244, tables 1 and 2).
///
/// Input N×3×224×224. Names as torchvision's; Keras' networks pad and normalize differently, and take their pixels as they are: the
/// scaling inside their graph is this dialect's preprocessing.
public final class MobileNetV3: StagedModel {
  /// The first convolution, the tables' rows of bottlenecks and the last 1×1 convolution: to N×C×H/32×W/32.
  package let features: Sequential
  /// Two linear layers with h-swish and dropout between them, on the mean over all places.
  package let classifier: Sequential
  /// The places in `features` where the resolution is halved, and the last convolution.
  private let stageEnds: [Int]

  /// A row of tables 1 and 2: k, exp size, #out, SE, NL (h-swish or ReLU), s.
  struct Row: Sendable, Hashable {
    let kernel: Int
    let expanded: Int
    let outputs: Int
    let squeezes: Bool
    let isSwish: Bool
    let stride: Int

    init(_ kernel: Int, _ expanded: Int, _ outputs: Int, _ squeezes: Bool, _ isSwish: Bool, _ stride: Int) {
      self.kernel = kernel
      self.expanded = expanded
      self.outputs = outputs
      self.squeezes = squeezes
      self.isSwish = isSwish
      self.stride = stride
    }
  }

  /// A variant: the rows of its table and the width of its classifier.
  public struct Configuration: Sendable, Hashable {
    let rows: [Row]
    /// Channels between the last two linear maps.
    let hidden: Int

    /// Table 1.
    public static let large = Configuration(
      rows: [
        Row(3, 16, 16, false, false, 1), Row(3, 64, 24, false, false, 2), Row(3, 72, 24, false, false, 1),
        Row(5, 72, 40, true, false, 2), Row(5, 120, 40, true, false, 1), Row(5, 120, 40, true, false, 1),
        Row(3, 240, 80, false, true, 2), Row(3, 200, 80, false, true, 1), Row(3, 184, 80, false, true, 1),
        Row(3, 184, 80, false, true, 1), Row(3, 480, 112, true, true, 1), Row(3, 672, 112, true, true, 1),
        Row(5, 672, 160, true, true, 2), Row(5, 960, 160, true, true, 1), Row(5, 960, 160, true, true, 1),
      ], hidden: 1280)

    /// Table 2.
    public static let small = Configuration(
      rows: [
        Row(3, 16, 16, true, false, 2), Row(3, 72, 24, false, false, 2), Row(3, 88, 24, false, false, 1),
        Row(5, 96, 40, true, true, 2), Row(5, 240, 40, true, true, 1), Row(5, 240, 40, true, true, 1),
        Row(5, 120, 48, true, true, 1), Row(5, 144, 48, true, true, 1), Row(5, 288, 96, true, true, 2),
        Row(5, 576, 96, true, true, 1), Row(5, 576, 96, true, true, 1),
      ], hidden: 1024)
  }

  /// What differs between networks whose convolutions are the same.
  public enum Form: Sendable, Hashable {
    /// Symmetric padding; batch normalization with ε = 10⁻³ and a share of 0.01.
    case torchvision
    /// One more zero at the end around strided convolutions, Keras' constants of batch normalization.
    case keras
    /// torchvision's detectors: batch normalization is frozen, with ε = 10⁻⁵.
    case frozen

    var style: ConvolutionStyle {
      switch self {
      case .torchvision:
        ConvolutionStyle(
          batchNorm: BatchNormStyle(epsilon: 1e-3, momentum: 0.01, variance: .unbiased), strided: .symmetric)
      case .keras: ConvolutionStyle(batchNorm: .keras(momentum: 0.999), strided: .uneven)
      case .frozen: ConvolutionStyle(batchNorm: .torch, strided: .symmetric, isFrozen: true)
      }
    }
  }

  /// A network with first values, ready to be trained.
  public init(
    _ configuration: Configuration, _ form: Form = .torchvision, classes: Int = 1000, dropout: Float = 0.2
  ) {
    let style = form.style
    var channels = 16
    var layers: [any Layer] = [style.unit(3, channels, kernel: 3, stride: 2, .hardSwish)]
    var ends: [Int] = []
    for row in configuration.rows {
      if row.stride > 1 { ends.append(layers.count) }
      layers.append(
        InvertedResidual(
          .init(
            inputs: channels, expanded: row.expanded, outputs: row.outputs, kernel: row.kernel,
            stride: row.stride, activation: row.isSwish ? .hardSwish : .relu,
            squeeze: row.squeezes
              ? .init(
                channels: roundedToEights(row.expanded / 4), activation: .relu, gate: .hardSigmoid)
              : nil),
          style))
      channels = row.outputs
    }
    stageEnds = ends + [layers.count]
    layers.append(style.unit(channels, 6 * channels, .hardSwish))
    features = Sequential(layers)
    let normal = Initializer.normal(standardDeviation: 0.01)
    classifier = Sequential(
      Linear(6 * channels, configuration.hidden, initializer: normal), Activate(.hardSwish), Dropout(dropout),
      Linear(configuration.hidden, classes, initializer: normal))
  }

  /// What lies between two halvings of the resolution is one stage.
  public var stages: [Stage] {
    zip([0] + stageEnds, stageEnds).enumerated().map { index, range in
      Stage("block\(index + 1)", "features", features, range.0..<range.1)
    } + [
      Stage("last", "features", features, stageEnds.last!..<features.count),
      Stage("classifier", [("", GlobalAvgPool()), ("classifier", classifier)]),
    ]
  }
}

extension MobileNetV3 {
  static let entries: [ZooEntry] = [
    ("mobilenet_v3_large", .large), ("mobilenet_v3_small", .small),
  ].map { (name: String, configuration: Configuration) in
    let torchvision = Dialect("tv_v1", .torchvision) { MobileNetV3(configuration, classes: $0) }
    let keras = Dialect("keras", nameMaps: ["keras_\(name)"], .tf.rounded(.nearest)) {
      MobileNetV3(configuration, .keras, classes: $0)
    }
    let retrained = name == "mobilenet_v3_large" ? [torchvision.retrained("tv_v2", .torchvisionV2)] : []
    return ZooEntry(name, smallestSide: 32, [torchvision] + retrained + [keras])
  }
}
