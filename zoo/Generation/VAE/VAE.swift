import AviaryLayers
import AviaryTensors

/// A variational autoencoder: a network that leads from pictures to distributions of codes, and from codes to pictures.
public protocol LatentAutoencoder: Network {
  /// The axes of a picture as the network takes it, without the batch.
  var pictureAxes: Shape { get }
  /// D, the width of a code.
  var codeWidth: Int { get }
  /// q(z|x) of pictures N×….
  func encode(_ image: Tensor) -> VAE.Code
  /// The means of p(x|z), pictures N×… with values in 0…1, of codes N×D.
  func decode(_ z: Tensor) -> Tensor
}

/// The variational autoencoder (Kingma & Welling 2014, "Auto-Encoding Variational Bayes", arXiv:1312.6114) with the layers that PyTorch's
/// examples train on MNIST.
///
/// `image` N×784, values in 0…1, to `reconstruction` N×784 and the parameters of the code's distribution, `mean` and `log_variance`
/// N×20. Names as in PyTorch's examples.
public final class VAE: LatentAutoencoder, ModeDependent {
  /// The encoder's hidden layer.
  package let fc1: Linear
  /// The code's means.
  package let fc21: Linear
  /// The logarithms of its variances.
  package let fc22: Linear
  /// The decoder's hidden layer.
  package let fc3: Linear
  /// From the decoder's hidden layer to the pixels' logits.
  package let fc4: Linear
  /// What the network was built from.
  public let configuration: Configuration
  /// Whether a code is drawn for the reconstruction; in evaluation its mean is taken.
  public var isTraining = false

  /// The widths of the layers.
  public struct Configuration: Sendable, Hashable {
    /// Values of a picture.
    public let pixels: Int
    /// Units of the hidden layer, in the encoder as in the decoder.
    public let hidden: Int
    /// Width of the code z.
    public let code: Int

    /// PyTorch's example: 784 pixels, 400 hidden units, a code of 20.
    public static let mnist = Configuration(pixels: 784, hidden: 400, code: 20)
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = .mnist) {
    self.configuration = configuration
    fc1 = Linear(configuration.pixels, configuration.hidden)
    fc21 = Linear(configuration.hidden, configuration.code)
    fc22 = Linear(configuration.hidden, configuration.code)
    fc3 = Linear(configuration.code, configuration.hidden)
    fc4 = Linear(configuration.hidden, configuration.pixels)
  }

  /// `image` to `reconstruction`, `mean` and `log_variance`.
  public var signature: Signature {
    let (pixels, code) = (
      TensorPort.Axis.fixed(configuration.pixels), TensorPort.Axis.fixed(configuration.code)
    )
    return Signature(
      inputs: [TensorPort("image", ["N", pixels])],
      outputs: [
        TensorPort("reconstruction", ["N", pixels]), TensorPort("mean", ["N", code]),
        TensorPort("log_variance", ["N", code]),
      ])
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let code = encode(inputs["image"])
    let z = isTraining ? code.sample(noise: .normal(code.mean.shape)) : code.mean
    return ["reconstruction": decode(z), "mean": code.mean, "log_variance": code.logVariance]
  }

  public var pictureAxes: Shape { [configuration.pixels] }
  public var codeWidth: Int { configuration.code }

  /// q(z|x) of pictures N×784, a normal distribution of independent variables (appendix C.2).
  public func encode(_ image: Tensor) -> Code {
    let hidden = fc1(image).relu()
    return Code(mean: fc21(hidden), logVariance: fc22(hidden))
  }

  /// The means of p(x|z), independent Bernoulli variables, of codes N×20 (appendix C.1).
  public func decode(_ z: Tensor) -> Tensor { fc4(fc3(z).relu()).sigmoid() }

  /// The distribution of a code.
  public struct Code: Sendable {
    /// N×D.
    public let mean: Tensor
    /// log σ², N×D.
    public let logVariance: Tensor

    /// A normal distribution of independent variables; both tensors are N×D.
    public init(mean: Tensor, logVariance: Tensor) {
      self.mean = mean
      self.logVariance = logVariance
    }

    /// z = μ + σ ⊙ ε for `noise` ε of the standard normal distribution: gradients flow through it to μ and σ (section 2.4).
    public func sample(noise: Tensor) -> Tensor {
      require(
        noise.shape == mean.shape, "noise \(noise.shape.shapeText) for codes \(mean.shape.shapeText)")
      return mean + (logVariance * 0.5).exp() * noise
    }

    /// The same with noise that depends on the seed alone.
    public func sample(seed: UInt64) -> Tensor {
      sample(noise: .normal(mean.shape, using: RandomGenerator(seed: seed)))
    }
  }
}

/// What training lowers: the negative evidence lower bound (equation 10), per picture.
public struct NegativeELBO: Sendable {
  /// −log p(x|z): the cross-entropy of the pixels, summed over a picture and averaged over the batch.
  public let reconstruction: Tensor
  /// How far the code's distribution is from the standard normal one, averaged over the batch.
  public let divergence: Tensor

  /// The loss itself: the sum of the two.
  public var total: Tensor { reconstruction + divergence }

  /// - Parameters:
  ///   - reconstruction: probabilities N×P.
  ///   - image: N×P, values in 0…1.
  ///   - code: of the same pictures.
  public init(reconstruction: Tensor, image: Tensor, code: VAE.Code) {
    // The logarithms are cut off at −100, as PyTorch does: a probability of 0 is then no infinity.
    let floor = Tensor(Float(-100))
    let likelihood =
      image * maximum(reconstruction.log(), floor)
      + (1 - image) * maximum((1 - reconstruction).log(), floor)
    self.reconstruction = -likelihood.sum([-1]).mean()
    divergence = normalKLDivergence(mean: code.mean, logVariance: code.logVariance)
  }
}
