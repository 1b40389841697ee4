import AviaryLayers
import AviaryTensors

/// The other well-known form of the network that paints in one style: Logan Engstrom's fast-style-transfer in TensorFlow, which
/// deeplearn.js and ml5 publish weights for.
///
/// Edges are zeros (TensorFlow's SAME padding), upsampling is by transposed convolutions, nothing has a bias, and instance normalization
/// stands behind every convolution, the last one too.
///
/// `input` N×3×H×W, red, green and blue from 0 to 255, to `out`: 150·tanh + 127.5, cut off at 0 and 255 as pictures are; its height and
/// width are the next multiples of 4.
public final class EngstromStyle: Network {
  /// 9×9 to F channels, at full resolution.
  public let conv1: NormalizedConvolution
  /// To 2F channels at half the resolution.
  public let conv2: NormalizedConvolution
  /// To 4F channels at a quarter of the resolution.
  public let conv3: NormalizedConvolution
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
  /// Transposed, to 2F channels at half the resolution.
  public let up1: NormalizedConvolution
  /// Transposed, to F channels at full resolution.
  public let up2: NormalizedConvolution
  /// 9×9 to the picture.
  public let convOut: NormalizedConvolution

  /// `input` to `out`.
  public let signature = Signature(
    inputs: [TensorPort("input", ["N", 3, "H", "W"])], outputs: [TensorPort("out", ["N", 3, "H", "W"])])

  /// A network with first values and F filters in the first convolution, ready to be trained.
  public init(filters f: Int = 32) {
    conv1 = NormalizedConvolution(3, f, kernel: 9)
    conv2 = NormalizedConvolution(f, 2 * f, kernel: 3, .shrinking)
    conv3 = NormalizedConvolution(2 * f, 4 * f, kernel: 3, .shrinking)
    res1 = Residual(4 * f)
    res2 = Residual(4 * f)
    res3 = Residual(4 * f)
    res4 = Residual(4 * f)
    res5 = Residual(4 * f)
    up1 = NormalizedConvolution(4 * f, 2 * f, kernel: 3, .growing)
    up2 = NormalizedConvolution(2 * f, f, kernel: 3, .growing)
    convOut = NormalizedConvolution(f, 3, kernel: 9)
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors { ["out": styled(inputs["input"])] }

  /// Pictures N×3×H×W from 0 to 255 in the network's style.
  public func styled(_ picture: Tensor) -> Tensor {
    var x = conv1(picture).relu()  // N×F×H×W
    x = conv2(x).relu()  // N×2F×⌈H/2⌉×⌈W/2⌉
    x = conv3(x).relu()  // N×4F×⌈H/4⌉×⌈W/4⌉
    x = res5(res4(res3(res2(res1(x)))))
    x = up2(up1(x).relu()).relu()
    return (convOut(x).tanh() * 150 + 127.5).clipped(0, 255)
  }
}

/// A convolution without a bias, and instance normalization. Its weights are O×C×k×k, those of a transposed one C×O×k×k.
public final class NormalizedConvolution: Layer {
  /// The convolution's.
  public let weight: Parameter
  /// Of the convolution's result.
  public let norm: GroupNorm
  private let change: Change

  /// What becomes of height and width.
  enum Change {
    case none
    /// Half as many, rounded up.
    case shrinking
    /// Twice as many, by a transposed convolution.
    case growing
  }

  init(_ inputs: Int, _ outputs: Int, kernel: Int, _ change: Change = .none) {
    let channels = change == .growing ? [inputs, outputs] : [outputs, inputs]
    weight = Parameter(channels + [kernel, kernel], .truncatedNormal(standardDeviation: 0.1))
    norm = .instance(outputs, epsilon: 1e-3)
    self.change = change
  }

  /// N×C×H×W to N×O×H×W, or another height and width.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    let (spatial, kernel) = (Array(input.shape.dropFirst(2)), Array(weight.shape.dropFirst(2)))
    guard change == .growing else {
      let stride = change == .shrinking ? [2, 2] : [1, 1]
      let geometry = ConvolutionGeometry(
        stride: stride, padding: .same(input: spatial, kernel: kernel, stride: stride))
      return norm(convolution(input, weight.value, geometry))
    }
    // The transpose of a SAME convolution of 2H×2W, whose one zero stands after the end.
    let geometry = ConvolutionGeometry(
      stride: [2, 2], padding: .same(input: spatial.map { 2 * $0 }, kernel: kernel, stride: [2, 2]))
    return norm(transposedConvolution(input, weight.value, geometry))
  }
}

extension EngstromStyle {
  /// Two 3×3 convolutions, a ReLU behind the first, and their input added.
  public final class Residual: Layer {
    /// The first convolution.
    public let conv1: NormalizedConvolution
    /// The second convolution.
    public let conv2: NormalizedConvolution

    init(_ channels: Int) {
      conv1 = NormalizedConvolution(channels, channels, kernel: 3)
      conv2 = NormalizedConvolution(channels, channels, kernel: 3)
    }

    /// N×C×H×W to the same.
    public func callAsFunction(_ input: Tensor) -> Tensor { input + conv2(conv1(input).relu()) }
  }
}
