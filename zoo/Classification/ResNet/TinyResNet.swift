import AviaryLayers
import AviaryTensors
import AviaryVision

/// The residual network of a benchmark for microcontrollers (Banbury et al. 2021, "MLPerf Tiny Benchmark", arXiv:2106.07597, section 4.3).
///
/// A 3×3 convolution, one block each with 16, 32 and 64 channels, the mean, a linear layer: eight layers on the longest path. Input
/// N×3×32×32 in 0...255. As Keras builds it: convolutions have biases, and one with a stride is padded at the end only. Layers have the
/// names of ``ResNet``'s.
public final class TinyResNet: StagedModel {
  /// The first convolution, 3×3 to 16 channels at full resolution.
  package let conv1: Conv2d
  /// Of the first convolution.
  package let bn1: BatchNorm
  /// The block of 16 channels at 32×32.
  package let layer1: TinyResidualBlock
  /// The block of 32 channels at 16×16.
  package let layer2: TinyResidualBlock
  /// The block of 64 channels at 8×8.
  package let layer3: TinyResidualBlock
  /// From the mean over all places to logits.
  package let fc: Linear

  static let batchNorm = BatchNormStyle.keras()

  /// A network with first values, ready to be trained.
  public init(classes: Int = 10) {
    conv1 = Self.convolution(3, 16, kernel: 3)
    bn1 = Self.batchNorm(16)
    layer1 = TinyResidualBlock(16, 16)
    layer2 = TinyResidualBlock(16, 32)
    layer3 = TinyResidualBlock(32, 64)
    fc = Linear(64, classes, initializer: .kaimingNormal())
  }

  static func convolution(_ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1) -> Conv2d {
    Conv2d(
      inputs, outputs, kernel: Extents(kernel), stride: Extents(stride), padding: .same,
      initializer: .kaimingNormal())
  }

  /// The first convolution, the three blocks, the classifier.
  public var stages: [Stage] {
    [
      Stage("stem", [("conv1", conv1), ("bn1", bn1), ("", Activate(.relu))]),
      Stage("layer1", [("layer1", layer1)]),
      Stage("layer2", [("layer2", layer2)]),
      Stage("layer3", [("layer3", layer3)]),
      Stage("classifier", [("", GlobalAvgPool()), ("fc", fc)]),
    ]
  }
}

/// y = ReLU(F(x) + h(x)) with two 3×3 convolutions in F: h is x itself, or a 1×1 convolution without normalization where channels double
/// and the resolution halves.
package final class TinyResidualBlock: Layer {
  /// 3×3, with a stride of 2 where channels double.
  package let conv1: Conv2d
  /// Of the first convolution, before its ReLU.
  package let bn1: BatchNorm
  /// 3×3, stride 1.
  package let conv2: Conv2d
  /// Of the second convolution, before the sum.
  package let bn2: BatchNorm
  /// h where channels double, 1×1 with a stride of 2; nil where h is x itself.
  package let downsample: Conv2d?

  init(_ inputs: Int, _ outputs: Int) {
    let stride = outputs / inputs
    conv1 = TinyResNet.convolution(inputs, outputs, kernel: 3, stride: stride)
    bn1 = TinyResNet.batchNorm(outputs)
    conv2 = TinyResNet.convolution(outputs, outputs, kernel: 3)
    bn2 = TinyResNet.batchNorm(outputs)
    downsample = stride > 1 ? TinyResNet.convolution(inputs, outputs, kernel: 1, stride: stride) : nil
  }

  /// N×C×H×W to the same or to N×2C×H/2×W/2.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    (bn2(conv2(bn1.rectified(conv1(input)))) + (downsample?(input) ?? input)).relu()
  }
}

extension TinyResNet {
  static let entries: [ZooEntry] = [
    ZooEntry(
      "resnet8", smallestSide: 8,
      [
        Dialect(
          "mlperf_tiny", nameMaps: ["keras_resnet_mlperf_tiny"],
          Preprocessing(resize: .exact(width: 32, height: 32), divisor: 1), labels: .cifar10
        ) { TinyResNet(classes: $0) }
      ])
  ]
}
