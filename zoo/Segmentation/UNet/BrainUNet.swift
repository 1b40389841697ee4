import AviaryLayers
import AviaryTensors

/// The U-Net of brain-segmentation-pytorch for gliomas in pictures of magnetic resonance (Buda, Saha & Mazurowski 2019, "Association of
/// genomic subtypes of lower-grade gliomas with shape features automatically extracted by a deep learning algorithm", arXiv:1906.03720): half the
/// channels of the first U-Net (arXiv:1505.04597), and batch normalization.
///
/// `image` N×3×H×W, the slices before, of and after contrast as colours, to `logits` N×1×H×W, positive on the tumour, and to their sigmoid
/// `probabilities`, which is what the reference gives; H and W multiples of 16. Names as in the reference.
public final class BrainUNet: Network {
  /// From the picture to 32 channels at full resolution.
  package let encoder1: Block
  /// To 64 channels at H/2×W/2.
  package let encoder2: Block
  /// To 128 channels at H/4×W/4.
  package let encoder3: Block
  /// To 256 channels at H/8×W/8.
  package let encoder4: Block
  /// To 512 channels at H/16×W/16.
  package let bottleneck: Block
  /// Back to H/8×W/8 and 256 channels.
  package let upconv4: ConvTranspose2d
  /// 256 channels of those joined with ``encoder4``'s.
  package let decoder4: Block
  /// Back to H/4×W/4 and 128 channels.
  package let upconv3: ConvTranspose2d
  /// 128 channels of those joined with ``encoder3``'s.
  package let decoder3: Block
  /// Back to H/2×W/2 and 64 channels.
  package let upconv2: ConvTranspose2d
  /// 64 channels of those joined with ``encoder2``'s.
  package let decoder2: Block
  /// Back to H×W and 32 channels.
  package let upconv1: ConvTranspose2d
  /// 32 channels of those joined with ``encoder1``'s.
  package let decoder1: Block
  /// 1×1, from those to the logits.
  package let conv: Conv2d
  /// `image` to `logits` and `probabilities`.
  public let signature: Signature

  /// What height and width must be multiples of: four poolings halve them.
  public static let granularity = 16

  /// What differs between the networks of this form.
  public struct Configuration: Sendable, Hashable {
    /// Channels of the picture.
    public var channels = 3
    /// Kinds of pixels that are found, the background not among them.
    public var outputs = 1
    /// Channels at full resolution; each step down doubles them. The numbers of channels above are of 32.
    public var width = 32

    /// The reference's, for three sequences and one kind of abnormality.
    public static let brain = Configuration()
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = .brain) {
    let width = configuration.width
    func doubling(_ inputs: Int) -> ConvTranspose2d {
      ConvTranspose2d(inputs, inputs / 2, kernel: 2, stride: 2)
    }
    encoder1 = Block("enc1", configuration.channels, width)
    encoder2 = Block("enc2", width, 2 * width)
    encoder3 = Block("enc3", 2 * width, 4 * width)
    encoder4 = Block("enc4", 4 * width, 8 * width)
    bottleneck = Block("bottleneck", 8 * width, 16 * width)
    upconv4 = doubling(16 * width)
    decoder4 = Block("dec4", 16 * width, 8 * width)
    upconv3 = doubling(8 * width)
    decoder3 = Block("dec3", 8 * width, 4 * width)
    upconv2 = doubling(4 * width)
    decoder2 = Block("dec2", 4 * width, 2 * width)
    upconv1 = doubling(2 * width)
    decoder1 = Block("dec1", 2 * width, width)
    conv = Conv2d(width, configuration.outputs, kernel: 1)
    let pixels: [TensorPort.Axis] = ["N", .fixed(configuration.outputs), "H", "W"]
    signature = Signature(
      inputs: [TensorPort("image", ["N", .fixed(configuration.channels), "H", "W"])],
      outputs: [TensorPort("logits", pixels), TensorPort("probabilities", pixels)])
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let logits = logits(inputs["image"])
    return ["logits": logits, "probabilities": logits.sigmoid()]
  }

  /// The logits N×1×H×W of pictures N×3×H×W.
  public func logits(_ image: Tensor) -> Tensor {
    require(
      image.rank == 4 && image.shape[2...].allSatisfy { $0 % Self.granularity == 0 },
      "height and width of \(image.shape.shapeText) are no multiples of \(Self.granularity)")
    func halved(_ x: Tensor) -> Tensor { x.maxPooled(PoolingGeometry(kernel: [2, 2])) }
    let x1 = encoder1(image)  // N×32×H×W
    let x2 = encoder2(halved(x1))  // N×64×H/2×W/2
    let x3 = encoder3(halved(x2))
    let x4 = encoder4(halved(x3))
    let deepest = bottleneck(halved(x4))  // N×512×H/16×W/16
    // What comes from below stands first, unlike in the first U-Net.
    let up4 = decoder4(concatenate([upconv4(deepest), x4], axis: 1))
    let up3 = decoder3(concatenate([upconv3(up4), x3], axis: 1))
    let up2 = decoder2(concatenate([upconv2(up3), x2], axis: 1))
    return conv(decoder1(concatenate([upconv1(up2), x1], axis: 1)))
  }

  /// Twice a padded 3×3 convolution, batch normalization and ReLU; the reference repeats the block's name in the names inside.
  package final class Block: Layer, Container {
    /// 3×3, to the block's channels.
    package let conv1: Conv2d
    /// Of ``conv1``'s channels.
    package let norm1: BatchNorm
    /// 3×3, among the block's channels.
    package let conv2: Conv2d
    /// Of ``conv2``'s channels.
    package let norm2: BatchNorm
    private let prefix: String

    init(_ prefix: String, _ inputs: Int, _ outputs: Int) {
      self.prefix = prefix
      conv1 = Conv2d(inputs, outputs, kernel: 3, padding: 1, bias: false)
      norm1 = BatchNorm(outputs)
      conv2 = Conv2d(outputs, outputs, kernel: 3, padding: 1, bias: false)
      norm2 = BatchNorm(outputs)
    }

    /// The four layers as `enc1conv1` and so on.
    package var namedChildren: [(name: String, module: any Module)] {
      [
        ("\(prefix)conv1", conv1), ("\(prefix)norm1", norm1), ("\(prefix)conv2", conv2),
        ("\(prefix)norm2", norm2),
      ]
    }

    /// N×C×H×W to N×O×H×W.
    package func callAsFunction(_ input: Tensor) -> Tensor {
      norm2.rectified(conv2(norm1.rectified(conv1(input))))
    }
  }
}
