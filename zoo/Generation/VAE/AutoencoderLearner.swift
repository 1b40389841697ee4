import AviaryLayers
import AviaryTensors
import AviaryTraining

/// A variational autoencoder that learns pictures with values from 0 to 1 by lowering the negative evidence lower bound (Kingma & Welling
/// 2014), its divergence weighted with β (Higgins et al. 2017, "β-VAE").
public final class AutoencoderLearner: SingleNetworkLearner {
  public typealias Batch = AviaryTraining.Batch

  /// The network that learns.
  public let model: any LatentAutoencoder
  /// What changes its weights.
  public let optimizer: any Optimizer
  public var gradientNormLimit: Float?
  public var average: ExponentialMovingAverage?
  /// What the divergence counts; 1 is the bound itself, more keeps codes nearer to the prior at the cost of sharpness.
  public var beta: Float = 1

  /// A learner of the bound itself.
  public init(_ network: any LatentAutoencoder, _ optimizer: any Optimizer) {
    model = network
    self.optimizer = optimizer
  }

  public var network: any Module { model }

  public func learn(from batch: Batch) throws -> Evaluation {
    var first: NegativeELBO?
    let loss = step {
      valueAndGradient(of: model) {
        let bound = self.bound(batch)
        first = first ?? bound
        return bound.reconstruction + bound.divergence * beta
      }
    }
    return evaluation(first!, loss.item(), batch)
  }

  /// With codes that depend on the batch's examples alone, so that epochs can be compared.
  public func evaluation(of batch: Batch) throws -> Evaluation {
    let seed = batch.examples.reduce(UInt64(batch.count)) { $0 &* 31 &+ UInt64($1) }
    let bound = withRandomSeed(seed) { self.bound(batch) }
    return evaluation(bound, (bound.reconstruction + bound.divergence * beta).item(), batch)
  }

  private func bound(_ batch: Batch) -> NegativeELBO {
    let code = model.encode(batch.inputs.reshaped([batch.count] + model.pictureAxes))
    let decoded = model.decode(code.sample(noise: .normal(code.mean.shape)))
    return NegativeELBO(
      reconstruction: decoded.reshaped([batch.count, -1]),
      image: batch.inputs.reshaped([batch.count, -1]), code: code)
  }

  private func evaluation(_ bound: NegativeELBO, _ loss: Float, _ batch: Batch) -> Evaluation {
    Evaluation(
      loss: loss, count: batch.count,
      metrics: [
        "reconstruction": bound.reconstruction.detached.item(),
        "divergence": bound.divergence.detached.item(),
      ])
  }
}
