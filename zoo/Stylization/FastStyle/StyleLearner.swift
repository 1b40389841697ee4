import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision

/// Teaches a network one style (Johnson et al. 2016, section 3): what it makes of a picture has to be like the picture in a deep layer of VGG,
/// and like the style in the Gram matrices of others.
public final class StyleLearner: Learner {
  /// Pictures N×3×H×W, red, green and blue from 0 to 255.
  public typealias Batch = Tensor

  public let modules: [any Module]
  public let optimizers: [any Optimizer]
  private let network: FastStyle
  private let scale: PictureScale
  private let trunk: FeatureTrunk
  private let trunkWeights: [Tensor]
  private let contentLayer = FeatureLayer(kind: .relu, block: 3, index: 1)
  private let styleLayers = (1...4).map { FeatureLayer(kind: .relu, block: $0, index: 1) }
  /// Ĝ of the style layers.
  private let targets: [Tensor]
  /// Of each style layer: a loss of 1 is as far from the style as pictures are.
  private let styleWeights: [Float]
  private let contentWeight: Float
  private let variationWeight: Float

  /// - Parameters:
  ///   - judge: a network of the catalogue for style transfer, which looks at the pictures.
  ///   - style: the picture whose manner is wanted.
  ///   - examples: some pictures, whose distances from the style are what losses are counted in.
  /// - Throws: ``UnsuitableStylizer`` for another network, `WeightsError` when what is bound to its weights makes no sense.
  package init(
    _ network: FastStyle, judge: LoadedNetwork, style: Image, examples: Tensor, _ painting: Recipe.Painting,
    optimizer: any Optimizer
  ) throws {
    guard let gatys = judge.network as? Gatys else {
      throw UnsuitableStylizer(model: judge.name, reason: "cannot judge styles")
    }
    self.network = network
    modules = [network]
    optimizers = [optimizer]
    scale = PictureScale(try judge.stylingPreprocessing())
    trunk = FeatureTrunk(
      convolutions: gatys.configuration.trunk.convolutions, pooling: .average,
      usesCeiling: gatys.configuration.usesCeiling)
    trunkWeights = gatys.weights.map(\.detached)
    let (trunk, weights, scale, layers) = (trunk, trunkWeights, scale, styleLayers)
    func grams(_ values: Tensor) -> [Tensor] {
      trunk.activations(of: scale.input(values), weights, at: layers).map { Self.grams($0)[0] }
    }
    let wanted = grams(scale.values(of: style))
    let pictures = (0..<examples.shape[0]).map { grams(scale.ordered(examples.sliced(0, $0..<($0 + 1)))) }
    targets = wanted
    styleWeights = wanted.indices.map { layer in
      let distance = pictures.reduce(0) { $0 + GatysLoss.style($1[layer], wanted[layer]).item() }
      return painting.styleWeight * Float(pictures.count) / (Float(layers.count) * max(distance, 1e-20))
    }
    contentWeight = painting.contentWeight
    variationWeight = painting.variationWeight
  }

  /// The Gram matrix of each of N activations.
  private static func grams(_ activations: Tensor) -> [Tensor] {
    (0..<activations.shape[0]).map { index in
      let features = GatysLoss.matrix(activations.sliced(0, index..<(index + 1)))
      return GatysLoss.gram(features) / Float(features.count)
    }
  }

  private func losses(of pictures: Tensor) -> (total: Tensor, content: Tensor, style: Tensor) {
    let painted = scale.ordered(network.styled(pictures))
    let found = trunk.activations(of: scale.input(painted), trunkWeights, at: [contentLayer] + styleLayers)
    let content = withoutRecording {
      trunk.activations(of: scale.input(scale.ordered(pictures)), trunkWeights, at: [contentLayer])[0]
        .detached
    }
    let contentLoss =
      GatysLoss.content(found[0], content) * (contentWeight / max(content.square().mean().item(), 1e-20))
    var styleLoss = Tensor(Float(0))
    for (place, activations) in found.dropFirst().enumerated() {
      let grams = Self.grams(activations)
      for gram in grams {
        styleLoss =
          styleLoss + GatysLoss.style(gram, targets[place]) * (styleWeights[place] / Float(grams.count))
      }
    }
    let variation = GatysLoss.variation(painted) * (variationWeight / (255 * Float(painted.count)))
    return (contentLoss + styleLoss + variation, contentLoss.detached, styleLoss.detached)
  }

  public func learn(from batch: Tensor) -> Evaluation {
    var parts = (content: Float(0), style: Float(0))
    let loss = optimizers[0].step(network) {
      valueAndGradient(of: network) {
        let losses = self.losses(of: batch)
        parts = (losses.content.item(), losses.style.item())
        return losses.total
      }
    }
    return Evaluation(
      loss: loss.item(), count: batch.shape[0], metrics: ["content": parts.content, "style": parts.style])
  }

  public func evaluation(of batch: Tensor) -> Evaluation {
    let losses = losses(of: batch)
    return Evaluation(
      loss: losses.total.item(), count: batch.shape[0],
      metrics: ["content": losses.content.item(), "style": losses.style.item()])
  }
}
