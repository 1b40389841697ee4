import AviaryLayers
import AviaryTensors

/// A variational autoencoder (Kingma & Welling 2014, arXiv:1312.6114) with convolutions, which see that pixels lie beside one another.
///
/// `image` N×C×H×W, values in 0…1, to `reconstruction` N×C×H×W and the parameters of the code's distribution, `mean` and `log_variance`
/// N×D. Height and width are multiples of 4.
public final class ConvolutionalVAE: LatentAutoencoder, ModeDependent {
  /// Half the height and width twice: 4×4 with a stride of 2, ReLU after each.
  public let encoderConvs: [Conv2d]
  /// The code's means, from all features.
  public let toMean: Linear
  /// The logarithms of its variances.
  public let toLogVariance: Linear
  /// From a code to the decoder's first features, before ReLU.
  public let fromCode: Linear
  /// Twice the height and width twice; ReLU after the first, the pixels' logits after the last.
  public let decoderConvs: [ConvTranspose2d]
  /// What the network was built from.
  public let configuration: Configuration
  /// Whether a code is drawn for the reconstruction; in evaluation its mean is taken.
  public var isTraining = false

  /// The sizes of pictures and layers.
  public struct Configuration: Sendable, Hashable {
    /// C of pictures.
    public var channels = 1
    /// Height and width of pictures, a multiple of 4.
    public var size = 28
    /// Channels of the first convolution; the second has twice as many.
    public var width = 32
    /// D, the width of the code.
    public var code = 16

    /// 28×28 grey digits.
    public static let mnist = Configuration()
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = .mnist) {
    self.configuration = configuration
    let (channels, width, code) = (configuration.channels, configuration.width, configuration.code)
    let features = configuration.featureShape.elementCount
    encoderConvs = [
      Conv2d(channels, width, kernel: 4, stride: 2, padding: 1),
      Conv2d(width, 2 * width, kernel: 4, stride: 2, padding: 1),
    ]
    toMean = Linear(features, code)
    toLogVariance = Linear(features, code)
    fromCode = Linear(code, features)
    decoderConvs = [
      ConvTranspose2d(2 * width, width, kernel: 4, stride: 2, padding: .halving),
      ConvTranspose2d(width, channels, kernel: 4, stride: 2, padding: .halving),
    ]
  }

  public var pictureAxes: Shape { [configuration.channels, configuration.size, configuration.size] }
  public var codeWidth: Int { configuration.code }

  /// `image` to `reconstruction`, `mean` and `log_variance`.
  public var signature: Signature {
    let picture = pictureAxes.map { TensorPort.Axis.fixed($0) }
    let code = TensorPort.Axis.fixed(configuration.code)
    return Signature(
      inputs: [TensorPort("image", ["N"] + picture)],
      outputs: [
        TensorPort("reconstruction", ["N"] + picture), TensorPort("mean", ["N", code]),
        TensorPort("log_variance", ["N", code]),
      ])
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let code = encode(inputs["image"])
    let z = isTraining ? code.sample(noise: .normal(code.mean.shape)) : code.mean
    return ["reconstruction": decode(z), "mean": code.mean, "log_variance": code.logVariance]
  }

  /// q(z|x) of pictures N×C×H×W.
  public func encode(_ image: Tensor) -> VAE.Code {
    let features = encoderConvs.reduce(image) { $1($0).relu() }.flattened(from: 1)
    return VAE.Code(mean: toMean(features), logVariance: toLogVariance(features))
  }

  /// The means of p(x|z), independent Bernoulli variables N×C×H×W, of codes N×D.
  public func decode(_ z: Tensor) -> Tensor {
    let features = fromCode(z).relu().reshaped([z.shape[0]] + configuration.featureShape)
    return decoderConvs[1](decoderConvs[0](features).relu()).sigmoid()
  }
}

extension ConvolutionalVAE.Configuration {
  /// Channels, height and width of what lies between convolutions and code.
  var featureShape: Shape { [2 * width, size / 4, size / 4] }
}

extension Padding {
  /// What makes a transposed 4×4 convolution of stride 2 exactly double height and width.
  static let halving = Padding([1, 1])
}
