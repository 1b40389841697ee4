import AviaryLayers
import AviaryTensors

/// U-Net (Ronneberger, Fischer & Brox 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation", arXiv:1505.04597,
/// figure 1), in the form that the field trains: convolutions are padded, so that the result is as large as the picture, and
/// followed by batch normalization.
///
/// `image` N×C×H×W to `logits` N×classes×H×W, H and W at least 16. Names as in milesial's Pytorch-UNet.
public final class UNet: Network {
  /// From the picture to 64 channels at full resolution.
  package let inc: DoubleConvolution
  /// To 128 channels at H/2×W/2.
  package let down1: Contraction
  /// To 256 channels at H/4×W/4.
  package let down2: Contraction
  /// To 512 channels at H/8×W/8.
  package let down3: Contraction
  /// To 1024 channels at H/16×W/16; 512 where upsampling is bilinear.
  package let down4: Contraction
  /// Back to H/8×W/8 and 512 channels, joined with ``down3``'s result; half as many where upsampling is bilinear.
  package let up1: Expansion
  /// Back to H/4×W/4 and 256 channels, joined with ``down2``'s result; half as many where upsampling is bilinear.
  package let up2: Expansion
  /// Back to H/2×W/2 and 128 channels, joined with ``down1``'s result; half as many where upsampling is bilinear.
  package let up3: Expansion
  /// Back to H×W and 64 channels, joined with ``inc``'s result.
  package let up4: Expansion
  /// From those to the logits.
  package let outc: PixelClassifier
  /// `image` to `logits`.
  public let signature: Signature

  /// Of height and width, which are halved four times.
  static let smallestSide = 16

  /// What differs between the networks of this form.
  public struct Configuration: Sendable, Hashable {
    /// Channels of the picture.
    public var channels = 3
    /// Classes that a pixel may be of, the background among them.
    public var classes = 2
    /// Channels at full resolution, 64 in the paper; each step down doubles them. The numbers of channels below are of 64.
    public var width = 64
    /// How the expansive path doubles height and width.
    public let upsampling: Upsampling
    /// Whether the convolutions before batch normalizations have biases, which add nothing: Pytorch-UNet had them until December 2021.
    public var hasConvolutionBias = false

    /// How the expansive path doubles height and width.
    public enum Upsampling: Sendable, Hashable {
      /// By a trained 2×2 "up-convolution" that halves the channels, as in the paper.
      case transposed
      /// By linear interpolation, corners on corners or the edges of pixels on edges; the convolutions after it halve the channels.
      case bilinear(alignsCorners: Bool)
    }

    /// The paper's trained upsampling, for pictures in colours and two classes.
    public static let unet = Configuration(upsampling: .transposed)
    /// The same with bilinear upsampling: fewer channels and parameters.
    public static let unetBilinear = Configuration(upsampling: .bilinear(alignsCorners: true))

    /// An eighth of the channels, for pictures of simple forms (``SceneGenerator``): background and six classes.
    public static let unetScenes = Configuration(classes: 7, width: 8, upsampling: .transposed)

    /// Pictures in colours and two classes unless said otherwise.
    public init(
      channels: Int = 3, classes: Int = 2, width: Int = 64, upsampling: Upsampling,
      hasConvolutionBias: Bool = false
    ) {
      self.channels = channels
      self.classes = classes
      self.width = width
      self.upsampling = upsampling
      self.hasConvolutionBias = hasConvolutionBias
    }

    func doubleConvolution(_ inputs: Int, _ outputs: Int, middle: Int? = nil) -> DoubleConvolution {
      DoubleConvolution(inputs, outputs, middle: middle ?? outputs, bias: hasConvolutionBias)
    }
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration) {
    let (width, halving) = (configuration.width, configuration.upsampling == .transposed ? 1 : 2)
    inc = configuration.doubleConvolution(configuration.channels, width)
    down1 = Contraction(width, 2 * width, configuration)
    down2 = Contraction(2 * width, 4 * width, configuration)
    down3 = Contraction(4 * width, 8 * width, configuration)
    down4 = Contraction(8 * width, 16 * width / halving, configuration)
    up1 = Expansion(16 * width, 8 * width / halving, configuration)
    up2 = Expansion(8 * width, 4 * width / halving, configuration)
    up3 = Expansion(4 * width, 2 * width / halving, configuration)
    up4 = Expansion(2 * width, width, configuration)
    outc = PixelClassifier(width, configuration.classes)
    signature = Signature(
      inputs: [TensorPort("image", ["N", .fixed(configuration.channels), "H", "W"])],
      outputs: [TensorPort("logits", ["N", .fixed(configuration.classes), "H", "W"])])
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    ["logits": logits(inputs["image"])]
  }

  /// The logits N×classes×H×W of pictures N×C×H×W.
  public func logits(_ image: Tensor) -> Tensor {
    require(
      image.rank == 4 && image.shape[2...].allSatisfy { $0 >= Self.smallestSide },
      "a picture of \(image.shape.shapeText) for four halvings of height and width")
    let x1 = inc(image)  // N×64×H×W
    let x2 = down1(x1)  // N×128×⌊H/2⌋×⌊W/2⌋
    let x3 = down2(x2)
    let x4 = down3(x3)
    let x5 = down4(x4)  // N×1024×⌊H/16⌋×⌊W/16⌋, 512 channels where upsampling is bilinear
    return outc(up4(up3(up2(up1(x5, skip: x4), skip: x3), skip: x2), skip: x1))
  }
}

/// Twice a padded 3×3 convolution, batch normalization and ReLU.
package final class DoubleConvolution: Layer {
  /// Places 0 and 3 are the convolutions, 1 and 4 their normalizations.
  package let doubleConv: Sequential

  init(_ inputs: Int, _ outputs: Int, middle: Int, bias: Bool) {
    doubleConv = Sequential(
      Conv2d(inputs, middle, kernel: 3, padding: 1, bias: bias), BatchNorm(middle), Activate(.relu),
      Conv2d(middle, outputs, kernel: 3, padding: 1, bias: bias), BatchNorm(outputs), Activate(.relu))
  }

  /// N×C×H×W to N×O×H×W.
  package func callAsFunction(_ input: Tensor) -> Tensor { doubleConv(input) }
}

/// A step of the contracting path: half the height and width by 2×2 max pooling, then convolutions.
package final class Contraction: Layer {
  /// The pooling at place 0, the convolutions at place 1.
  package let maxpoolConv: Sequential

  init(_ inputs: Int, _ outputs: Int, _ configuration: UNet.Configuration) {
    maxpoolConv = Sequential(MaxPool2d(kernel: 2), configuration.doubleConvolution(inputs, outputs))
  }

  /// N×C×H×W to N×O×⌊H/2⌋×⌊W/2⌋.
  package func callAsFunction(_ input: Tensor) -> Tensor { maxpoolConv(input) }
}

/// A step of the expansive path: twice the height and width, joined with the contracting path's features of that size, then
/// convolutions.
package final class Expansion: Module {
  /// The up-convolution; nil where upsampling is bilinear.
  package let up: ConvTranspose2d?
  /// The convolutions on both tensors' channels, the contracting path's first.
  package let conv: DoubleConvolution
  private let alignsCorners: Bool

  init(_ inputs: Int, _ outputs: Int, _ configuration: UNet.Configuration) {
    alignsCorners = configuration.upsampling == .bilinear(alignsCorners: true)
    switch configuration.upsampling {
    case .transposed:
      up = ConvTranspose2d(inputs, inputs / 2, kernel: 2, stride: 2)
      conv = configuration.doubleConvolution(inputs, outputs)
    case .bilinear:
      up = nil
      conv = configuration.doubleConvolution(inputs, outputs, middle: inputs / 2)
    }
  }

  /// - Parameters:
  ///   - input: N×C×h×w.
  ///   - skip: N×S×H×W with H = 2h or 2h + 1 and W likewise: what pooling dropped at an odd edge comes back as zeros.
  package func callAsFunction(_ input: Tensor, skip: Tensor) -> Tensor {
    let doubled =
      up?(input)
      ?? input.interpolated(
        to: [2 * input.shape[2], 2 * input.shape[3]], .linear(alignsCorners: alignsCorners))
    let missing = [skip.shape[2] - doubled.shape[2], skip.shape[3] - doubled.shape[3]]
    let before = missing.map { $0 / 2 }
    let padding = Padding(before: before, after: zip(missing, before).map(-))
    return conv(concatenate([skip, doubled.padded(spatially: padding)], axis: 1))
  }
}

/// The 1×1 convolution that gives each pixel its logits.
package final class PixelClassifier: Layer {
  /// 1×1, with a bias.
  package let conv: Conv2d
  init(_ inputs: Int, _ classes: Int) { conv = Conv2d(inputs, classes, kernel: 1) }
  /// N×C×H×W to N×classes×H×W.
  package func callAsFunction(_ input: Tensor) -> Tensor { conv(input) }
}
