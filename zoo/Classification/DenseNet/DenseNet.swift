import AviaryLayers
import AviaryTensors

/// Densely connected networks (Huang, Liu, van der Maaten & Weinberger 2017, "Densely Connected Convolutional Networks", arXiv:1608.06993,
/// table 1).
///
/// In a block each layer reads everything before it and adds k channels (equation 2). Input N×3×224×224. Names as torchvision's; Keras'
/// networks differ in their batch normalization constants and preprocessing alone.
public final class DenseNet: StagedModel {
  /// The stem, the blocks with a transition after each but the last, and a last normalization: to N×C×H/32×W/32.
  package let features: Sequential
  /// From the mean over all places to logits.
  package let classifier: Linear
  /// The places in `features` where the stem, the blocks with their transitions, and the last block with its normalization end.
  private let stageEnds: [Int]

  /// A column of table 1.
  public struct Configuration: Sendable, Hashable {
    /// Layers of each block.
    public let depths: [Int]
    /// k, the channels each layer adds.
    public var growth = 32
    /// The constants of all batch normalizations, which differ between torchvision and Keras.
    public var batchNorm = BatchNormStyle.torch

    /// 121 layers, k = 32.
    public static let densenet121 = Configuration(depths: [6, 12, 24, 16])
    /// 161 layers, k = 48 (section 4.3).
    public static let densenet161 = Configuration(depths: [6, 12, 36, 24], growth: 48)
    /// 169 layers, k = 32.
    public static let densenet169 = Configuration(depths: [6, 12, 32, 32])
    /// 201 layers, k = 32.
    public static let densenet201 = Configuration(depths: [6, 12, 48, 32])

    /// The same network with other constants of batch normalization.
    public func with(_ batchNorm: BatchNormStyle) -> Configuration {
      Configuration(depths: depths, growth: growth, batchNorm: batchNorm)
    }
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration, classes: Int = 1000) {
    let (growth, batchNorm) = (configuration.growth, configuration.batchNorm)
    var channels = 2 * growth
    var layers: [(name: String, layer: any Layer)] = [
      (
        "conv0",
        Conv2d(3, channels, kernel: 7, stride: 2, padding: 3, bias: false, initializer: .kaimingNormal())
      ),
      ("norm0", batchNorm(channels)), ("relu0", Activate(.relu)),
      ("pool0", MaxPool2d(kernel: 3, stride: 2, padding: 1)),
    ]
    var ends = [layers.count]
    for (index, depth) in configuration.depths.enumerated() {
      let block = index + 1
      layers.append(("denseblock\(block)", Self.block(channels, depth: depth, growth, batchNorm)))
      channels += depth * growth
      if block < configuration.depths.count {
        layers.append(("transition\(block)", Self.transition(channels, batchNorm)))
        channels /= 2
        ends.append(layers.count)
      }
    }
    layers += [("norm5", batchNorm(channels)), ("relu5", Activate(.relu))]
    ends.append(layers.count)
    features = Sequential(named: layers)
    stageEnds = ends
    classifier = Linear(channels, classes)
  }

  private static func block(
    _ channels: Int, depth: Int, _ growth: Int, _ batchNorm: BatchNormStyle
  ) -> Sequential {
    Sequential(
      named: (0..<depth).map { place in
        ("denselayer\(place + 1)", DenseLayer(channels + place * growth, growth: growth, batchNorm))
      })
  }

  /// Half the channels at half the resolution (section 3, "Pooling layers" and "Compression").
  private static func transition(_ channels: Int, _ batchNorm: BatchNormStyle) -> Sequential {
    Sequential(named: [
      ("norm", batchNorm(channels)), ("relu", Activate(.relu)),
      ("conv", Conv2d(channels, channels / 2, kernel: 1, bias: false, initializer: .kaimingNormal())),
      ("pool", AvgPool2d(kernel: 2)),
    ])
  }

  /// The stem, each block with the transition after it, and the classifier.
  public var stages: [Stage] {
    let names = ["stem"] + (1..<stageEnds.count).map { "denseblock\($0)" }
    return zip(names, zip([0] + stageEnds, stageEnds)).map { name, range in
      Stage(name, "features", features, range.0..<range.1)
    } + [Stage("classifier", [("", GlobalAvgPool()), ("classifier", classifier)])]
  }
}

/// x and k new channels H(x): BN, ReLU, 1×1 convolution to 4k channels, BN, ReLU, 3×3 convolution (section 3, "Bottleneck layers").
package final class DenseLayer: Layer {
  /// Of everything that came before in the block.
  package let norm1: BatchNorm
  /// The bottleneck, 1×1 to 4k channels.
  package let conv1: Conv2d
  /// Of the bottleneck's 4k channels.
  package let norm2: BatchNorm
  /// 3×3 to the k channels that the layer adds.
  package let conv2: Conv2d

  init(_ inputs: Int, growth: Int, _ batchNorm: BatchNormStyle) {
    norm1 = batchNorm(inputs)
    conv1 = Conv2d(inputs, 4 * growth, kernel: 1, bias: false, initializer: .kaimingNormal())
    norm2 = batchNorm(4 * growth)
    conv2 = Conv2d(4 * growth, growth, kernel: 3, padding: 1, bias: false, initializer: .kaimingNormal())
  }

  /// N×C×H×W to N×(C+k)×H×W, the input's channels first.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    concatenate([input, conv2(norm2.rectified(conv1(norm1.rectified(input))))], axis: 1)
  }
}

extension DenseNet {
  /// The columns of table 1, and DenseNet-161 with k = 48 (section 4.3). Keras has those with k = 32.
  static let entries: [ZooEntry] = [
    ("densenet121", .densenet121), ("densenet161", .densenet161), ("densenet169", .densenet169),
    ("densenet201", .densenet201),
  ].map { (name: String, configuration: Configuration) in
    let keras = Dialect("keras", nameMaps: ["keras_densenet"], .torch.rounded(.nearest)) {
      DenseNet(configuration.with(.keras(epsilon: 1.001e-5)), classes: $0)
    }
    return ZooEntry(
      name, smallestSide: 29,
      [
        Dialect("tv_v1", nameMaps: ["torchvision_legacy_densenet"], .torchvision) {
          DenseNet(configuration, classes: $0)
        }
      ] + (configuration.growth == 32 ? [keras] : []))
  }
}
