import AviaryLayers
import AviaryTensors

/// Any style in one pass (Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
/// arXiv:1703.06868): activations of the content get the means and deviations of the style's, and a decoder makes a picture of them.
///
/// `content` N×3×H×W and `style` N×3×h×w, red, green and blue from 0 to 1, to `out`, whose height and width are the next multiples of
/// 2^(level − 1). Names are the places in the encoder and the decoder as pytorch-AdaIN and PytorchWCT have them.
public final class AdaIN: Network {
  /// VGG-19 with normalized activations and mirrored edges, up to the first ReLU of a block.
  package let encoder: Sequential
  /// Its mirror image, without a ReLU at the end.
  package let decoder: Sequential
  /// What was asked for.
  public let configuration: Configuration

  /// Pictures to a picture.
  public let signature = Signature(
    inputs: [TensorPort("content", ["N", 3, "H", "W"]), TensorPort("style", ["N", 3, "h", "w"])],
    outputs: [TensorPort("out", ["N", 3, "H", "W"])])

  /// What differs between networks of this form.
  public struct Configuration: Sendable, Hashable {
    /// The block of VGG whose first ReLU is the encoder's end, from 1 to 4.
    public var level = 4
    /// How much of the style there is, from 0 to 1.
    public var alpha = 1.0

    /// What of the style's activations the content's take over.
    public var transform = Transform.moments

    /// What of the style's activations the content's take over.
    public enum Transform: String, Sendable, Hashable, CaseIterable {
      /// The mean and the deviation of each channel: AdaIN.
      case moments = "adain"
      /// Means and covariances (``WhiteningColouring``).
      case covariance = "wct"
    }

    /// The paper's.
    public init() {}

    /// The shortest side: mirroring needs a second pixel.
    var smallestSide: Int { 1 << (level - 1) + 1 }
  }

  /// Convolutions of each block and channels that they make.
  private static let blocks: [(count: Int, channels: Int)] = [(2, 64), (2, 128), (4, 256), (4, 512)]

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = Configuration()) {
    self.configuration = configuration
    // Channels from and to of each 3×3 convolution, and whether a pooling stands before it.
    var convolutions: [(from: Int, to: Int, isBehindPooling: Bool)] = []
    var channels = 3
    for (place, block) in Self.blocks.prefix(configuration.level).enumerated() {
      for index in 0..<(place == configuration.level - 1 ? 1 : block.count) {
        convolutions.append((channels, block.channels, place > 0 && index == 0))
        channels = block.channels
      }
    }
    // Colours are mixed first: 1×1, neither mirrored nor cut off.
    var forward: [any Layer] = [Conv2d(3, 3, kernel: 1)]
    for convolution in convolutions {
      if convolution.isBehindPooling { forward.append(MaxPool2d(kernel: 2, usesCeiling: true)) }
      forward += [
        ReflectionPad2d(1), Conv2d(convolution.from, convolution.to, kernel: 3), Activate(.relu),
      ]
    }
    var backward: [any Layer] = []
    for convolution in convolutions.reversed() {
      backward += [
        ReflectionPad2d(1), Conv2d(convolution.to, convolution.from, kernel: 3), Activate(.relu),
      ]
      if convolution.isBehindPooling { backward.append(Doubling()) }
    }
    encoder = Sequential(forward)
    decoder = Sequential(Array(backward.dropLast()))
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let content = encoder(inputs["content"])  // N×C×⌈H/2^(level−1)⌉×…
    let styled = Self.adapted(content, to: encoder(inputs["style"]))
    let alpha = Float(configuration.alpha)
    return ["out": decoder(alpha == 1 ? styled : styled * alpha + content * (1 - alpha))]
  }

  /// Activations with the means and deviations of others, channel by channel (equation 8).
  static func adapted(_ content: Tensor, to style: Tensor) -> Tensor {
    let (mean, deviation) = statistics(content)
    let (styleMean, styleDeviation) = statistics(style)
    return (content - mean) / deviation * styleDeviation + styleMean
  }

  private static func statistics(_ activations: Tensor) -> (mean: Tensor, deviation: Tensor) {
    let mean = activations.mean([2, 3], keepsAxes: true)
    let variance = activations.variance([2, 3], isUnbiased: true, keepsAxes: true)
    return (mean, (variance + 1e-5).squareRoot())
  }

  /// Each pixel four times.
  private final class Doubling: Layer {
    func callAsFunction(_ input: Tensor) -> Tensor {
      input.interpolated(to: [2 * input.shape[2], 2 * input.shape[3]], .nearest)
    }
  }
}
