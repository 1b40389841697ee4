import AviaryLayers
import AviaryTensors
import AviaryTraining

/// A variational autoencoder that learns pictures with values from 0 to 1 by lowering the negative evidence lower bound (Kingma & Welling
/// 2014), its divergence weighted with β (Higgins et al. 2017, "β-VAE").
public final class AutoencoderLearner: Learner {
  public typealias Batch = AviaryTraining.Batch

  /// The network that learns.
  public let network: any LatentAutoencoder
  /// What changes its weights.
  public let optimizer: any Optimizer
  /// What the divergence counts; 1 is the bound itself, more keeps codes nearer to the prior at the cost of sharpness.
  public var beta: Float = 1

  /// A learner of the bound itself.
  public init(_ network: any LatentAutoencoder, _ optimizer: any Optimizer) {
    self.network = network
    self.optimizer = optimizer
  }

  public var modules: [any Module] { [network] }
  public var optimizers: [any Optimizer] { [optimizer] }

  public func learn(from batch: Batch) throws -> Evaluation {
    var bound: NegativeELBO?
    let (value, gradients) = valueAndGradient(of: network) {
      let made = self.bound(batch)
      bound = made
      return made.reconstruction + made.divergence * beta
    }
    let result = evaluation(bound!, value.item(), batch)
    // Such gradients would spoil the weights.
    if result.loss.isFinite { optimizer.update(network, gradients) }
    return result
  }

  /// With codes that depend on the batch's examples alone, so that epochs can be compared.
  public func evaluation(of batch: Batch) throws -> Evaluation {
    let seed = batch.examples.reduce(UInt64(batch.count)) { $0 &* 31 &+ UInt64($1) }
    let bound = withRandomSeed(seed) { self.bound(batch) }
    return evaluation(bound, (bound.reconstruction + bound.divergence * beta).item(), batch)
  }

  private func bound(_ batch: Batch) -> NegativeELBO {
    let code = network.encode(batch.inputs.reshaped([batch.count] + network.pictureAxes))
    let decoded = network.decode(code.sample(noise: .normal(code.mean.shape)))
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
