import AviaryLayers
import AviaryTensors

/// A residual network for pictures of some hundred pixels a side: as in He et al. 2016, arXiv:1512.03385, with one block of two 3×3
/// convolutions for each of three resolutions.
package final class SmallBody: PyramidBody {
  /// 3×3 to half the resolution.
  package let conv1: Conv2d
  /// Of the first convolution, before its ReLU.
  package let bn1: any RectifiableLayer
  /// The block at H/4×W/4.
  package let layer1: ResidualBlock
  /// The block at H/8×W/8.
  package let layer2: ResidualBlock
  /// The block at H/16×W/16.
  package let layer3: ResidualBlock

  package var mapChannels: [Int] { Self.channels }
  private static let channels = [32, 64, 96]
  private static let stem = 24

  init() {
    // Of ResNet-18 only how its blocks are made.
    let form = ResNet.Configuration.resnet18
    conv1 = Conv2d(
      3, Self.stem, kernel: 3, stride: 2, padding: 1, bias: false, initializer: .kaimingNormal(fan: .output))
    bn1 = form.batchNorm(Self.stem)
    let blocks = zip([Self.stem] + Self.channels, Self.channels).map {
      ResidualBlock($0, $1, stride: 2, form)
    }
    (layer1, layer2, layer3) = (blocks[0], blocks[1], blocks[2])
  }

  /// What the three blocks return.
  package func maps(_ image: Tensor) -> [Tensor] {
    let first = layer1(bn1.rectified(conv1(image)))
    let second = layer2(first)
    return [first, second, layer3(second)]
  }
}
