import AviaryLayers
import AviaryTensors

/// Residual networks with pre-activation (He, Zhang, Ren & Sun 2016, "Identity Mappings in Deep Residual Networks", arXiv:1603.05027).
///
/// Normalization and ReLU come before each convolution, so that nothing stands in the way of the sum. Input N×3×224×224.
/// As Keras builds them: strides on the 3×3 of a group's last block, biases where no normalization follows. Layers have the names of
/// ``ResNet``'s.
public final class ResNetV2: StagedModel {
  /// 7×7 to 64 channels, stride 2, with a bias, since no normalization follows.
  package let conv1: Conv2d
  /// conv2_x: its last block goes from H/4×W/4 to half of it.
  package let layer1: Sequential
  /// conv3_x: its last block goes from H/8×W/8 to half of it.
  package let layer2: Sequential
  /// conv4_x: its last block goes from H/16×W/16 to half of it.
  package let layer3: Sequential
  /// conv5_x, at H/32×W/32 throughout.
  package let layer4: Sequential
  /// Of the last sum, which no block activates.
  package let norm: BatchNorm
  /// From the mean over all places to logits.
  package let fc: Linear

  static let batchNorm = BatchNormStyle.keras(epsilon: 1.001e-5)

  /// - Parameter depths: blocks of conv2_x to conv5_x.
  public init(depths: [Int], classes: Int = 1000) {
    conv1 = Conv2d(3, 64, kernel: 7, stride: 2, padding: 3, initializer: .kaimingNormal(fan: .output))
    var channels = 64
    let groups = zip([64, 128, 256, 512], depths).enumerated().map { index, group in
      let (width, depth) = group
      return Sequential(
        (0..<depth).map { place in
          defer { channels = 4 * width }
          return PreactivationBlock(channels, width, stride: place == depth - 1 && index < 3 ? 2 : 1)
        })
    }
    (layer1, layer2, layer3, layer4) = (groups[0], groups[1], groups[2], groups[3])
    norm = Self.batchNorm(channels)
    fc = Linear(channels, classes)
  }

  /// conv1 with its maximum, the four groups (the last with ``norm``), and the classifier.
  public var stages: [Stage] {
    [
      // Values below zero reach the pool: its padding must be zeros and not be left out of the maximum.
      Stage(
        "stem", [("conv1", conv1), ("", ZeroPad2d(1)), ("", MaxPool2d(kernel: 3, stride: 2))]),
      Stage("layer1", [("layer1", layer1)]),
      Stage("layer2", [("layer2", layer2)]),
      Stage("layer3", [("layer3", layer3)]),
      Stage("layer4", [("layer4", layer4), ("norm", norm), ("", Activate(.relu))]),
      Stage("classifier", [("", GlobalAvgPool()), ("fc", fc)]),
    ]
  }
}

/// y = F(ReLU(BN(x))) + h(x) (figure 4e): h is x itself, subsampled where F has a stride, or a 1×1 convolution of the activated x where
/// channels change.
package final class PreactivationBlock: Layer {
  /// Of x, before the first ReLU.
  package let bn1: BatchNorm
  /// 1×1 to the inner width.
  package let conv1: Conv2d
  /// Of the first convolution.
  package let bn2: BatchNorm
  /// 3×3, with the block's stride.
  package let conv2: Conv2d
  /// Of the second convolution.
  package let bn3: BatchNorm
  /// 1×1 to four times the inner width, with a bias.
  package let conv3: Conv2d
  /// The 1×1 convolution of the activated x; nil where channels stay the same.
  package let downsample: Conv2d?
  private let stride: Int

  init(_ inputs: Int, _ width: Int, stride: Int) {
    func conv(_ inputs: Int, _ outputs: Int, _ kernel: Int, stride: Int = 1, bias: Bool = false) -> Conv2d {
      Conv2d(
        inputs, outputs, kernel: Extents(kernel), stride: Extents(stride),
        padding: .symmetric(Extents(kernel / 2)), bias: bias, initializer: .kaimingNormal(fan: .output))
    }
    self.stride = stride
    bn1 = ResNetV2.batchNorm(inputs)
    conv1 = conv(inputs, width, 1)
    bn2 = ResNetV2.batchNorm(width)
    conv2 = conv(width, width, 3, stride: stride)
    bn3 = ResNetV2.batchNorm(width)
    conv3 = conv(width, 4 * width, 1, bias: true)
    downsample = inputs == 4 * width ? nil : conv(inputs, 4 * width, 1, stride: stride, bias: true)
  }

  /// N×C×H×W to N×O×H×W, or half of H and W.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    let activated = bn1.rectified(input)
    let residual = conv3(bn3.rectified(conv2(bn2.rectified(conv1(activated)))))
    return residual + shortcut(input, activated: activated)
  }

  private func shortcut(_ input: Tensor, activated: Tensor) -> Tensor {
    if let downsample { return downsample(activated) }
    guard stride > 1 else { return input }
    // The maximum of one value is that value.
    return input.maxPooled(PoolingGeometry(kernel: [1, 1], stride: [stride, stride]))
  }
}

extension ResNetV2 {
  /// Keras' three depths.
  static let entries: [ZooEntry] = [
    ("resnet50_v2", [3, 4, 6, 3]), ("resnet101_v2", [3, 4, 23, 3]), ("resnet152_v2", [3, 8, 36, 3]),
  ].map { (name: String, depths: [Int]) in
    ZooEntry(
      name, smallestSide: 32,
      [
        Dialect("keras", nameMaps: ["keras_resnet_v2"], .tf.rounded(.nearest)) {
          ResNetV2(depths: depths, classes: $0)
        }
      ])
  }
}
