import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryWeights

/// What a network that makes pictures learns, as a recipe says it.
public enum GenerationObjective: Sendable, Hashable, Codable {
  /// The evidence lower bound of an autoencoder, its divergence weighted (``AutoencoderLearner``).
  case autoencoder(beta: Float)
  /// The noise in pictures (``DenoisingLearner``).
  ///
  /// - Parameters:
  ///   - nullShare: of the pictures whose class is not said, where there is a class for that.
  ///   - averageDecay: of the weights' moving average; nil for none.
  case denoising(nullShare: Float, averageDecay: Double?)
  /// To fool a discriminator that learns beside it (``AdversarialLearner``).
  ///
  /// - Parameters:
  ///   - discriminatorWidth: channels of its first features.
  ///   - averageDecay: of the generator's moving average; nil for none.
  case adversarial(
    objective: AdversarialLearner.Objective, discriminatorWidth: Int, averageDecay: Double?)
}

extension GenerationObjective {
  /// A network with first values cannot learn this.
  public struct Unsuitable: Error, CustomStringConvertible, Equatable {
    /// The catalogue's name of the network.
    public let model: String
    public var description: String { "\(model) is no network of the kind that the recipe trains" }
  }

  /// Who learns this with a network of the zoo.
  ///
  /// - Parameter makeOptimizer: with the recipe's numbers.
  /// - Throws: ``Unsuitable`` for a network of another kind, ``ConfigurationError`` when what is bound to it makes no sense.
  public func learner(
    for loaded: LoadedNetwork, rate: Float, weightDecay: Float
  ) throws -> any Learner<Batch> {
    switch self {
    case .autoencoder(let beta):
      guard let network = loaded.network as? any LatentAutoencoder else {
        throw Unsuitable(model: loaded.name)
      }
      let learner = AutoencoderLearner(network, Adam.decoupled(learningRate: rate, weightDecay: weightDecay))
      learner.beta = beta
      return learner
    case .denoising(let nullShare, let decay):
      guard let network = loaded.network as? DenoisingUNet else { throw Unsuitable(model: loaded.name) }
      let settings = try DiffusionSettings(loaded.metadata.taskSettings)
      guard !settings.scheduler.variance.isLearned else { throw Unsuitable(model: loaded.name) }
      let learner = DenoisingLearner(
        network, Adam.decoupled(learningRate: rate, weightDecay: weightDecay), scheduler: settings.scheduler)
      learner.nullClass = settings.nullClass
      learner.nullShare = nullShare
      learner.gradientNormLimit = 1
      learner.average = decay.map { ExponentialMovingAverage(of: network, decay: $0, warmup: .ratio) }
      return learner
    case .adversarial(let objective, let width, let decay):
      guard let generator = loaded.network as? DCGANGenerator else { throw Unsuitable(model: loaded.name) }
      var sizes = generator.configuration
      sizes.discriminatorWidth = width
      var betas: (Float, Float) = (0.5, 0.999)
      if case .wasserstein = objective {
        sizes.isNormalized = false
        betas = (0, 0.9)
      }
      let discriminator = DCGANDiscriminator(sizes)
      func optimizer() -> Adam { Adam(learningRate: rate, betas: betas, weightDecay: weightDecay) }
      generator.drawTutorialValues()
      discriminator.drawTutorialValues()
      let learner = AdversarialLearner(
        generator, discriminator, objective: objective, optimizers: (optimizer(), optimizer()))
      learner.average = decay.map { ExponentialMovingAverage(of: generator, decay: $0, warmup: .ratio) }
      return learner
    }
  }
}

extension Network {
  /// First values as the tutorial draws them: kernels from N(0, 0.02²), scales from N(1, 0.02²).
  fileprivate func drawTutorialValues() {
    for (name, parameter) in namedParameters where name.hasSuffix("weight") {
      let mean: Float = parameter.shape.count == 1 ? 1 : 0
      parameter.value = .normal(parameter.shape, mean: mean, standardDeviation: 0.02)
    }
  }
}

extension LoadedNetwork {
  /// The same as weights of this project's own, with what was measured of them by the names of the field.
  public func trained(metrics: [String: Double]) -> LoadedNetwork {
    var result = self
    result.metadata.metrics = metrics
    result.metadata.source = PortableMetadata.Source(framework: "aviary")
    return result
  }
}

extension GenerationObjective {
  /// C×H×W of the pictures that a network learns from; throws ``Unsuitable`` for a network of another kind.
  public func pictureShape(of loaded: LoadedNetwork) throws(Unsuitable) -> Shape {
    switch loaded.network {
    case let network as any LatentAutoencoder where network.pictureAxes.count == 3: return network.pictureAxes
    case let network as any LatentAutoencoder:
      let side = Int(Double(network.pictureAxes.elementCount).squareRoot())
      return [1, side, network.pictureAxes.elementCount / max(side, 1)]
    case let network as DenoisingUNet:
      if let size = network.configuration.sampleSize { return [network.configuration.inChannels] + size }
    case let network as DCGANGenerator:
      let (channels, size) = (network.configuration.channels, network.configuration.imageSize)
      return [channels, size, size]
    default: break
    }
    throw Unsuitable(model: loaded.name)
  }
}
