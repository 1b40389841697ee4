import AviaryLayers
import AviaryTensors
import AviaryVision

/// ConvNeXt (Liu et al. 2022, "A ConvNet for the 2020s", arXiv:2201.03545, table 9).
///
/// Input N×3×H×W. Names as torchvision's.
public final class ConvNeXt: StagedModel {
  /// For each stage what reduces the resolution (first the stem of 4×4 patches), then its blocks: to N×C×H/32×W/32.
  package let features: Sequential
  /// A normalization over the channels of the mean, and a linear layer.
  package let classifier: Sequential

  /// Section 3.
  public struct Configuration: Sendable, Hashable {
    /// C of each stage.
    public let widths: [Int]
    /// B of each stage.
    public let depths: [Int]
    /// The share of residual branches dropped in the last block while training; earlier ones less.
    public let dropPath: Float

    /// ConvNeXt-T: C = (96, 192, 384, 768), B = (3, 3, 9, 3).
    public static let tiny = Configuration(
      widths: [96, 192, 384, 768], depths: [3, 3, 9, 3], dropPath: 0.1)
  }

  static let initializer = Initializer.truncatedNormal(standardDeviation: 0.02)

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration, classes: Int = 1000) {
    let widths = configuration.widths
    let last = Float(configuration.depths.reduce(0, +) - 1)
    var layers: [any Layer] = []
    var block = 0
    for (stage, (width, depth)) in zip(widths, configuration.depths).enumerated() {
      // Between stages the normalization comes first.
      layers.append(
        stage == 0
          ? Sequential(
            Conv2d(3, width, kernel: 4, stride: 4, initializer: Self.initializer), ChannelNorm(width))
          : Sequential(
            ChannelNorm(widths[stage - 1]),
            Conv2d(widths[stage - 1], width, kernel: 2, stride: 2, initializer: Self.initializer)))
      layers.append(
        Sequential(
          (0..<depth).map { _ in
            defer { block += 1 }
            return ConvNeXtBlock(width, dropPath: configuration.dropPath * Float(block) / last)
          }))
    }
    features = Sequential(layers)
    classifier = Sequential(
      ChannelNorm(widths.last!), Flatten(), Linear(widths.last!, classes, initializer: Self.initializer))
  }

  /// As figure 2 counts them; each begins by reducing the resolution.
  public var stages: [Stage] {
    (0..<(features.count / 2)).map { index in
      Stage("stage\(index + 1)", "features", features, (2 * index)..<(2 * index + 2))
    } + [Stage("classifier", [("", AdaptiveAvgPool2d(1)), ("classifier", classifier)])]
  }
}

/// A depthwise 7×7 convolution, then at each place a normalization and an MLP over the channels, scaled, beside a residual (figure 4).
/// N×C×H×W.
final class ConvNeXtBlock: Layer {
  /// Places 1 and 6 permute the axes, 4 is the activation.
  let block: Sequential
  let layerScale: Parameter
  private let dropPath: DropPath

  init(_ width: Int, dropPath: Float) {
    block = Sequential(named: [
      (
        "0",
        Conv2d(
          width, width, kernel: 7, padding: 3, groups: width, initializer: ConvNeXt.initializer)
      ),
      ("1", Permute(.channelsLast)), ("2", LayerNorm(width, epsilon: 1e-6)),
      ("3", Linear(width, 4 * width, initializer: ConvNeXt.initializer)), ("4", Activate(.gelu)),
      ("5", Linear(4 * width, width, initializer: ConvNeXt.initializer)), ("6", Permute(.channelsFirst)),
    ])
    layerScale = Parameter([width, 1, 1], .constant(1e-6))
    self.dropPath = DropPath(dropPath)
  }

  func callAsFunction(_ input: Tensor) -> Tensor { input + dropPath(block(input) * layerScale.value) }
}

/// Layer normalization over the channels of each place of N×C×H×W.
final class ChannelNorm: Layer, Container {
  private let norm: LayerNorm

  init(_ channels: Int) { norm = LayerNorm(channels, epsilon: 1e-6) }

  var namedChildren: [(name: String, module: any Module)] { [("", norm)] }

  func callAsFunction(_ input: Tensor) -> Tensor {
    norm(input.permuted([0, 2, 3, 1])).permuted([0, 3, 1, 2])
  }
}

/// The axes of a picture's features in another order.
final class Permute: Layer {
  enum Order { case channelsLast, channelsFirst }

  private let axes: [Int]

  init(_ order: Order) { axes = order == .channelsLast ? [0, 2, 3, 1] : [0, 3, 1, 2] }

  func callAsFunction(_ input: Tensor) -> Tensor { input.permuted(axes) }
}

extension ConvNeXt {
  static let entries = [
    ZooEntry(
      "convnext_tiny", smallestSide: 32,
      [
        Dialect("tv_v1", .torchvision.sized(resize: .shortSide(236), crop: 224)) {
          ConvNeXt(.tiny, classes: $0)
        }
      ])
  ]
}
