import AviaryLayers
import AviaryTensors
import AviaryVision

/// Residual networks for CIFAR-10 (He, Zhang, Ren & Sun 2016, "Deep Residual Learning for Image Recognition", arXiv:1512.03385, section 4.2).
///
/// 6n + 2 layers: a 3×3 convolution, three groups of n blocks with 16, 32 and 64 channels, the mean, a linear layer.
/// Input N×3×32×32. Names as in the implementation whose weights are in use (Y. Idelbayev's, in PyTorch).
public final class CIFARResNet: StagedModel {
  /// The first convolution, 3×3 to 16 channels at full resolution.
  package let conv1: Conv2d
  /// Of the first convolution.
  package let bn1: BatchNorm
  /// The first group: n blocks of 16 channels at 32×32.
  package let layer1: Sequential
  /// The second group: n blocks of 32 channels at 16×16.
  package let layer2: Sequential
  /// The third group: n blocks of 64 channels at 8×8.
  package let layer3: Sequential
  /// From the mean over all places to logits.
  package let linear: Linear

  /// - Parameter blocks: n, the blocks of each group.
  public init(blocks: Int, classes: Int = 10) {
    conv1 = Conv2d(3, 16, kernel: 3, padding: 1, bias: false, initializer: .kaimingNormal())
    bn1 = BatchNorm(16)
    func group(_ inputs: Int, _ width: Int) -> Sequential {
      Sequential((0..<blocks).map { CIFARResidualBlock($0 == 0 ? inputs : width, width) })
    }
    layer1 = group(16, 16)
    layer2 = group(16, 32)
    layer3 = group(32, 64)
    linear = Linear(64, classes, initializer: .kaimingNormal())
  }

  /// The first convolution, the three groups, the classifier.
  public var stages: [Stage] {
    [
      Stage("stem", [("conv1", conv1), ("bn1", bn1), ("", Activate(.relu))]),
      Stage("layer1", [("layer1", layer1)]),
      Stage("layer2", [("layer2", layer2)]),
      Stage("layer3", [("layer3", layer3)]),
      Stage("classifier", [("", GlobalAvgPool()), ("linear", linear)]),
    ]
  }
}

/// y = ReLU(F(x) + x) with two 3×3 convolutions in F; where channels double and the resolution halves, x is subsampled and zeros take the
/// place of the new channels, half of them before and half after (option A of section 3.3, without parameters).
package final class CIFARResidualBlock: Layer {
  /// 3×3, with a stride of 2 where channels double.
  package let conv1: Conv2d
  /// Of the first convolution, before its ReLU.
  package let bn1: BatchNorm
  /// 3×3, stride 1.
  package let conv2: Conv2d
  /// Of the second convolution, before the sum.
  package let bn2: BatchNorm
  private let newChannels: Int

  init(_ inputs: Int, _ outputs: Int) {
    newChannels = outputs - inputs
    func conv(_ inputs: Int, stride: Int = 1) -> Conv2d {
      Conv2d(
        inputs, outputs, kernel: 3, stride: Extents(stride), padding: 1, bias: false,
        initializer: .kaimingNormal())
    }
    conv1 = conv(inputs, stride: newChannels > 0 ? 2 : 1)
    bn1 = BatchNorm(outputs)
    conv2 = conv(outputs)
    bn2 = BatchNorm(outputs)
  }

  /// N×C×H×W to the same or to N×2C×H/2×W/2.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    (bn2(conv2(bn1.rectified(conv1(input)))) + shortcut(input)).relu()
  }

  private func shortcut(_ input: Tensor) -> Tensor {
    guard newChannels > 0 else { return input }
    // The maximum of one value is that value: every second position of each axis.
    let subsampled = input.maxPooled(PoolingGeometry(kernel: [1, 1], stride: [2, 2]))
    return subsampled.padded(before: [0, newChannels / 2, 0, 0], after: [0, newChannels / 2, 0, 0])
  }
}

extension CIFARResNet {
  /// The depths of table 6.
  static let entries: [ZooEntry] = [20, 32, 44, 56, 110].map { depth in
    let preprocessing = Preprocessing.torchvision.sized(resize: .exact(width: 32, height: 32), crop: nil)
    return ZooEntry(
      "resnet\(depth)", smallestSide: 8,
      [
        Dialect("cifar10", preprocessing, labels: .cifar10) {
          CIFARResNet(blocks: (depth - 2) / 6, classes: $0)
        }
      ])
  }
}
