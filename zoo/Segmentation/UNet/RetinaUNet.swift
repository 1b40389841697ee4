import AviaryLayers
import AviaryTensors

/// The small U-Net of orobix' retina-unet for blood vessels in pictures of the eye's background (DRIVE: Staal et al. 2004,
/// "Ridge-based vessel segmentation in color images of the retina").
///
/// `image` N×1×H×W to `logits` N×2×H×W, H and W multiples of 4; class 1 is a vessel. The logits are never negative: a ReLU stands before
/// the softmax. Names are the numbers of the eleven convolutions.
public final class RetinaUNet: Network {
  /// 3×3 from the picture to 32 channels, at full resolution.
  package let conv1: Conv2d
  /// 3×3, 32 channels at full resolution; its result is kept for the way up.
  package let conv2: Conv2d
  /// 3×3 to 64 channels, at half the resolution.
  package let conv3: Conv2d
  /// 3×3, 64 channels at half the resolution; its result is kept for the way up.
  package let conv4: Conv2d
  /// 3×3 to 128 channels, at a quarter of the resolution.
  package let conv5: Conv2d
  /// 3×3, 128 channels at a quarter of the resolution.
  package let conv6: Conv2d
  /// 3×3 to 64 channels, on ``conv6``'s result doubled and ``conv4``'s.
  package let conv7: Conv2d
  /// 3×3, 64 channels at half the resolution.
  package let conv8: Conv2d
  /// 3×3 to 32 channels, on ``conv8``'s result doubled and ``conv2``'s.
  package let conv9: Conv2d
  /// 3×3, 32 channels at full resolution.
  package let conv10: Conv2d
  /// 1×1 to the logits of the two classes.
  package let conv11: Conv2d

  /// `image` to `logits`.
  public let signature = Signature(
    inputs: [TensorPort("image", ["N", 1, "H", "W"])], outputs: [TensorPort("logits", ["N", 2, "H", "W"])])

  /// What height and width must be multiples of: two poolings halve them.
  public static let granularity = 4

  /// A network with first values, ready to be trained.
  public init() {
    func conv(_ inputs: Int, _ outputs: Int) -> Conv2d {
      Conv2d(inputs, outputs, kernel: 3, padding: 1, initializer: .xavierUniform())
    }
    conv1 = conv(1, 32)
    conv2 = conv(32, 32)
    conv3 = conv(32, 64)
    conv4 = conv(64, 64)
    conv5 = conv(64, 128)
    conv6 = conv(128, 128)
    conv7 = conv(128 + 64, 64)
    conv8 = conv(64, 64)
    conv9 = conv(64 + 32, 32)
    conv10 = conv(32, 32)
    conv11 = Conv2d(32, 2, kernel: 1, initializer: .xavierUniform())
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    ["logits": logits(inputs["image"])]
  }

  /// The logits N×2×H×W of grey pictures N×1×H×W.
  public func logits(_ image: Tensor) -> Tensor {
    require(
      image.rank == 4 && image.shape[2...].allSatisfy { $0 % Self.granularity == 0 },
      "height and width of \(image.shape.shapeText) are no multiples of \(Self.granularity)")
    func halved(_ x: Tensor) -> Tensor { x.maxPooled(PoolingGeometry(kernel: [2, 2])) }
    func doubled(_ x: Tensor) -> Tensor {
      x.interpolated(to: [2 * x.shape[2], 2 * x.shape[3]], .nearest)
    }
    let full = conv2.rectified(conv1.rectified(image))  // N×32×H×W
    let half = conv4.rectified(conv3.rectified(halved(full)))  // N×64×H/2×W/2
    let quarter = conv6.rectified(conv5.rectified(halved(half)))  // N×128×H/4×W/4
    // What comes from below stands first, unlike in other U-Nets.
    let up1 = conv8.rectified(conv7.rectified(concatenate([doubled(quarter), half], axis: 1)))
    let up2 = conv10.rectified(conv9.rectified(concatenate([doubled(up1), full], axis: 1)))
    return conv11.rectified(up2)
  }
}
