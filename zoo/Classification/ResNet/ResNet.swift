import AviaryLayers
import AviaryTensors

/// Residual networks (He, Zhang, Ren & Sun 2016, "Deep Residual Learning for Image Recognition", arXiv:1512.03385, table 1).
///
/// Also with grouped convolutions (Xie, Girshick, Dollár, Tu & He 2017, "Aggregated Residual Transformations for Deep Neural Networks",
/// arXiv:1611.05431) and with wide ones (Zagoruyko & Komodakis 2016, "Wide Residual Networks", arXiv:1605.07146).
///
/// Input N×3×224×224. Names as torchvision's; its networks move the stride of a bottleneck from the first 1×1 to the 3×3 ("v1.5"),
/// Keras' are as in the paper and have biases in their convolutions.
public final class ResNet: StagedModel {
  /// conv1 of table 1: 7×7 to 64 channels, stride 2.
  package let conv1: Conv2d
  /// Of the first convolution, before its ReLU and the 3×3 maximum.
  package let bn1: any RectifiableLayer
  /// conv2_x of table 1, at H/4×W/4.
  package let layer1: Sequential
  /// conv3_x of table 1, at H/8×W/8.
  package let layer2: Sequential
  /// conv4_x of table 1, at H/16×W/16.
  package let layer3: Sequential
  /// conv5_x of table 1, at H/32×W/32.
  package let layer4: Sequential
  /// nil in the body of another network, which ends with what layer4 returns.
  package let fc: Linear?

  /// A column of table 1.
  public struct Configuration: Sendable, Hashable {
    /// What the groups are made of.
    public let block: Block
    /// Blocks of conv2_x to conv5_x.
    public let depths: [Int]
    /// Whose network it is.
    public var dialect = Dialect.torchvision
    /// Groups of a bottleneck's 3×3 convolution (ResNeXt's cardinality C).
    public var groups = 1
    /// Channels of each group in conv2_x (ResNeXt's d).
    public var groupWidth = 64
    /// The ε of batch normalization that is never trained, as in detectors' bodies; nil for one that is.
    public var frozenBatchNorm: Float?
    /// Whether conv4_x and conv5_x keep the resolution of conv3_x, their 3×3 convolutions reaching two and four times as far instead: for
    /// networks that say something of each pixel (Yu & Koltun 2016, arXiv:1511.07122).
    public var isDilated = false

    /// The two kinds of residual function F.
    public enum Block: Sendable, Hashable {
      /// Two 3×3 convolutions (figure 5, left).
      case basic
      /// 1×1, 3×3, 1×1 with four times the width at the end (figure 5, right).
      case bottleneck

      var expansion: Int { self == .basic ? 1 : 4 }
    }

    /// What differs between networks whose weights have the same shapes.
    public enum Dialect: Sendable, Hashable {
      /// torchvision: stride on the 3×3, no convolution biases.
      case torchvision
      /// Keras: stride on the first 1×1 as in the paper, convolution biases, its own batch normalization constants.
      case keras

      var batchNorm: BatchNormStyle { self == .torchvision ? .torch : .keras(epsilon: 1.001e-5) }
    }

    /// The column of 18 layers.
    public static let resnet18 = Configuration(block: .basic, depths: [2, 2, 2, 2])
    /// The column of 34 layers.
    public static let resnet34 = Configuration(block: .basic, depths: [3, 4, 6, 3])
    /// The column of 50 layers.
    public static let resnet50 = Configuration(block: .bottleneck, depths: [3, 4, 6, 3])
    /// The column of 101 layers.
    public static let resnet101 = Configuration(block: .bottleneck, depths: [3, 4, 23, 3])
    /// The column of 152 layers.
    public static let resnet152 = Configuration(block: .bottleneck, depths: [3, 8, 36, 3])
    /// ResNeXt-50 32×4d, that is C×d; ``resnext101`` has 32×8d (arXiv:1611.05431, table 1 and section 5.1).
    public static let resnext50 = Configuration(
      block: .bottleneck, depths: [3, 4, 6, 3], groups: 32, groupWidth: 4)
    /// ResNeXt-101 32×8d.
    public static let resnext101 = Configuration(
      block: .bottleneck, depths: [3, 4, 23, 3], groups: 32, groupWidth: 8)
    /// Bottlenecks of twice the width (arXiv:1605.07146, section 3).
    public static let wideResnet50 = Configuration(
      block: .bottleneck, depths: [3, 4, 6, 3], groupWidth: 128)
    /// As ``wideResnet50``, with the depths of ``resnet101``.
    public static let wideResnet101 = Configuration(
      block: .bottleneck, depths: [3, 4, 23, 3], groupWidth: 128)

    /// The same network as another framework has it.
    public func with(_ dialect: Dialect) -> Configuration {
      var copy = self
      copy.dialect = dialect
      return copy
    }

    /// The same network with batch normalization that is never trained.
    public var withFrozenBatchNorm: Configuration {
      var copy = self
      copy.frozenBatchNorm = dialect.batchNorm.epsilon
      return copy
    }

    func batchNorm(_ channels: Int) -> any RectifiableLayer {
      frozenBatchNorm.map { FrozenBatchNorm(channels, epsilon: $0) } ?? dialect.batchNorm(channels)
    }

    /// How far the 3×3 convolutions of a block reach: the first one of a group as far as the group before.
    func dilation(group: Int, place: Int) -> Int {
      guard isDilated, group > 1 else { return 1 }
      return 1 << (group - (place == 0 ? 2 : 1))
    }

    /// Channels of a bottleneck's 3×3 convolution where a plain one has `width`.
    func innerChannels(_ width: Int) -> Int { width * groupWidth / 64 * groups }
  }

  /// - Parameter classes: nil for a body without a classifier.
  public init(_ configuration: Configuration, classes: Int? = 1000) {
    let dialect = configuration.dialect
    conv1 = Conv2d(
      3, 64, kernel: 7, stride: 2, padding: 3, bias: dialect == .keras,
      initializer: .kaimingNormal(fan: .output))
    bn1 = configuration.batchNorm(64)
    var channels = 64
    let groups = zip([64, 128, 256, 512], configuration.depths).enumerated().map { index, group in
      let (width, depth) = group
      return Sequential(
        (0..<depth).map { place in
          let keepsResolution = index == 0 || configuration.isDilated && index > 1
          defer { channels = width * configuration.block.expansion }
          return ResidualBlock(
            channels, width, stride: place == 0 && !keepsResolution ? 2 : 1,
            dilation: configuration.dilation(group: index, place: place), configuration)
        })
    }
    (layer1, layer2, layer3, layer4) = (groups[0], groups[1], groups[2], groups[3])
    fc = classes.map { Linear(channels, $0) }
  }

  /// conv1 with its maximum, the four groups, and the classifier where there is one.
  public var stages: [Stage] {
    let pool = MaxPool2d(kernel: 3, stride: 2, padding: 1)
    return [
      Stage("stem", [("conv1", conv1), ("bn1", bn1), ("", Activate(.relu)), ("", pool)]),
      Stage("layer1", [("layer1", layer1)]),
      Stage("layer2", [("layer2", layer2)]),
      Stage("layer3", [("layer3", layer3)]),
      Stage("layer4", [("layer4", layer4)]),
    ] + (fc.map { [Stage("classifier", [("", GlobalAvgPool()), ("fc", $0)])] } ?? [])
  }
}

/// y = ReLU(F(x) + x), equations 1 and 2; where shapes change, a 1×1 convolution takes the place of x (option B of section 3.3).
package final class ResidualBlock: Layer {
  /// The first convolution of F: 3×3 in a basic block, 1×1 to the inner width in a bottleneck.
  package let conv1: Conv2d
  /// Of the first convolution, before its ReLU.
  package let bn1: any RectifiableLayer
  /// The second convolution of F, 3×3, grouped in ResNeXt.
  package let conv2: Conv2d
  /// Of the second convolution.
  package let bn2: any RectifiableLayer
  /// The last 1×1 of a bottleneck, to four times the width; nil in a basic block.
  package let conv3: Conv2d?
  /// Of the third convolution; nil in a basic block.
  package let bn3: (any RectifiableLayer)?
  /// The 1×1 convolution in place of x and its normalization; nil where x itself is added.
  package let downsample: Sequential?

  init(
    _ inputs: Int, _ width: Int, stride: Int, dilation: Int = 1, _ configuration: ResNet.Configuration
  ) {
    let dialect = configuration.dialect
    func conv(_ inputs: Int, _ outputs: Int, _ kernel: Int, stride: Int = 1, groups: Int = 1) -> Conv2d {
      Conv2d(
        inputs, outputs, kernel: Extents(kernel), stride: Extents(stride),
        padding: .symmetric(Extents(kernel / 2 * dilation)), dilation: Extents(kernel > 1 ? dilation : 1),
        groups: groups,
        bias: dialect == .keras, initializer: .kaimingNormal(fan: .output))
    }
    let outputs = width * configuration.block.expansion
    let inner = configuration.block == .bottleneck ? configuration.innerChannels(width) : width
    switch configuration.block {
    case .basic:
      conv1 = conv(inputs, width, 3, stride: stride)
      conv2 = conv(width, width, 3)
      conv3 = nil
      bn3 = nil
    case .bottleneck:
      conv1 = conv(inputs, inner, 1, stride: dialect == .keras ? stride : 1)
      conv2 = conv(inner, inner, 3, stride: dialect == .keras ? 1 : stride, groups: configuration.groups)
      conv3 = conv(inner, outputs, 1)
      bn3 = configuration.batchNorm(outputs)
    }
    bn1 = configuration.batchNorm(inner)
    bn2 = configuration.batchNorm(inner)
    downsample =
      stride != 1 || inputs != outputs
      ? Sequential(conv(inputs, outputs, 1, stride: stride), configuration.batchNorm(outputs)) : nil
  }

  /// N×C×H×W to N×O×H×W, or half of H and W.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    let hidden = bn1.rectified(conv1(input))
    let residual =
      if let conv3, let bn3 { bn3(conv3(bn2.rectified(conv2(hidden)))) } else { bn2(conv2(hidden)) }
    return (residual + (downsample?(input) ?? input)).relu()
  }
}

extension ResNet {
  /// The columns of table 1, and their relatives. Keras has the plain ones with bottlenecks.
  static let entries: [ZooEntry] = [
    ("resnet18", .resnet18), ("resnet34", .resnet34), ("resnet50", .resnet50), ("resnet101", .resnet101),
    ("resnet152", .resnet152), ("resnext50_32x4d", .resnext50),
    ("resnext101_32x8d", .resnext101), ("wide_resnet50_2", .wideResnet50),
    ("wide_resnet101_2", .wideResnet101),
  ].map { (name: String, configuration: Configuration) in
    let keras = Dialect("keras_v1", nameMaps: ["keras_resnet"], .caffe.rounded(.nearest)) {
      ResNet(configuration.with(.keras), classes: $0)
    }
    let isPlain = configuration.groups == 1 && configuration.groupWidth == 64
    let torchvision = Dialect("tv_v1", .torchvision) { ResNet(configuration, classes: $0) }
    let hasBottlenecks = configuration.block == .bottleneck
    return ZooEntry(
      name, smallestSide: 32,
      [torchvision] + (hasBottlenecks ? [torchvision.retrained("tv_v2", .torchvisionV2)] : [])
        + (isPlain && hasBottlenecks ? [keras] : []))
  }
}
