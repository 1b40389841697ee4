import AviaryLayers
import AviaryTensors

/// The network that paints in one style (Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and
/// Super-Resolution", arXiv:1603.08155, supplement, table 1), in the form that PyTorch's examples train: instance normalization (Ulyanov
/// et al. 2016, arXiv:1607.08022), edges mirrored, upsampling by repetition before a convolution.
///
/// `input` N×3×H×W, red, green and blue from 0 to 255, to `out`, such pictures too with values somewhat beyond; its height and width are
/// the next multiples of 4. H and W are at least 5. Names as in pytorch/examples.
public final class FastStyle: Network {
  /// 9×9 to F channels, at full resolution.
  public let conv1: MirroredConvolution
  /// Of ``conv1``'s result.
  public let in1: GroupNorm
  /// To 2F channels at half the resolution.
  public let conv2: MirroredConvolution
  /// Of ``conv2``'s result.
  public let in2: GroupNorm
  /// To 4F channels at a quarter of the resolution.
  public let conv3: MirroredConvolution
  /// Of ``conv3``'s result.
  public let in3: GroupNorm
  /// The first of five residual blocks of 4F channels, at a quarter of the resolution.
  public let res1: Residual
  /// As ``res1``.
  public let res2: Residual
  /// As ``res1``.
  public let res3: Residual
  /// As ``res1``.
  public let res4: Residual
  /// As ``res1``.
  public let res5: Residual
  /// To 2F channels at half the resolution.
  public let deconv1: MirroredConvolution
  /// Of ``deconv1``'s result.
  public let in4: GroupNorm
  /// To F channels at full resolution.
  public let deconv2: MirroredConvolution
  /// Of ``deconv2``'s result.
  public let in5: GroupNorm
  /// 9×9 to the picture: neither normalized nor cut off.
  public let deconv3: MirroredConvolution

  /// `input` to `out`.
  public let signature = Signature(
    inputs: [TensorPort("input", ["N", 3, "H", "W"])], outputs: [TensorPort("out", ["N", 3, "H", "W"])])

  /// What differs between networks of this form.
  public struct Configuration: Sendable, Hashable {
    /// F, the filters of the first convolution; others have two and four times as many.
    public var filters: Int

    /// The paper's 32 filters, unless there are to be others.
    public init(filters: Int = 32) { self.filters = filters }
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = Configuration()) {
    let f = configuration.filters
    conv1 = MirroredConvolution(3, f, kernel: 9)
    in1 = .instance(f)
    conv2 = MirroredConvolution(f, 2 * f, kernel: 3, stride: 2)
    in2 = .instance(2 * f)
    conv3 = MirroredConvolution(2 * f, 4 * f, kernel: 3, stride: 2)
    in3 = .instance(4 * f)
    res1 = Residual(4 * f)
    res2 = Residual(4 * f)
    res3 = Residual(4 * f)
    res4 = Residual(4 * f)
    res5 = Residual(4 * f)
    deconv1 = MirroredConvolution(4 * f, 2 * f, kernel: 3, upsampling: 2)
    in4 = .instance(2 * f)
    deconv2 = MirroredConvolution(2 * f, f, kernel: 3, upsampling: 2)
    in5 = .instance(f)
    deconv3 = MirroredConvolution(f, 3, kernel: 9)
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors { ["out": styled(inputs["input"])] }

  /// Pictures N×3×H×W from 0 to 255 in the network's style.
  public func styled(_ picture: Tensor) -> Tensor {
    var x = in1(conv1(picture)).relu()  // N×F×H×W
    x = in2(conv2(x)).relu()  // N×2F×⌈H/2⌉×⌈W/2⌉
    x = in3(conv3(x)).relu()  // N×4F×⌈H/4⌉×⌈W/4⌉
    x = res5(res4(res3(res2(res1(x)))))
    x = in4(deconv1(x)).relu()
    x = in5(deconv2(x)).relu()
    return deconv3(x)
  }
}

/// A convolution of a picture whose edges are mirrored, so that only the stride changes its size; upsampled first where that is asked for.
public final class MirroredConvolution: Layer {
  /// The convolution, without padding of its own.
  public let conv2d: Conv2d
  private let upsampling: Int
  private let padding: Padding

  init(_ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, upsampling: Int = 1) {
    conv2d = Conv2d(inputs, outputs, kernel: Extents(kernel), stride: Extents(stride))
    self.upsampling = upsampling
    padding = Padding([kernel / 2, kernel / 2])
  }

  /// N×C×H×W to N×O×⌈u·H/s⌉×⌈u·W/s⌉, with the upsampling u and the stride s.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    let larger =
      upsampling == 1
      ? input
      : input.interpolated(to: [upsampling * input.shape[2], upsampling * input.shape[3]], .nearest)
    return conv2d(larger.padded(spatially: padding, .reflect))
  }
}

extension FastStyle {
  /// Two 3×3 convolutions with instance normalization, a ReLU between them, and their input added.
  public final class Residual: Layer {
    /// The first convolution.
    public let conv1: MirroredConvolution
    /// Of the first convolution's result.
    public let in1: GroupNorm
    /// The second convolution.
    public let conv2: MirroredConvolution
    /// Of the second convolution's result.
    public let in2: GroupNorm

    init(_ channels: Int) {
      conv1 = MirroredConvolution(channels, channels, kernel: 3)
      in1 = .instance(channels)
      conv2 = MirroredConvolution(channels, channels, kernel: 3)
      in2 = .instance(channels)
    }

    /// N×C×H×W to the same.
    public func callAsFunction(_ input: Tensor) -> Tensor {
      in2(conv2(in1(conv1(input)).relu())) + input
    }
  }
}
