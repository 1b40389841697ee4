import AviaryLayers
import AviaryTensors

/// What a picture is changed by to have the content of one and the style of another (Gatys, Ecker & Bethge 2016, "Image Style Transfer
/// Using Convolutional Neural Networks", CVPR; arXiv:1508.06576).
///
/// `image` and `content` 1×3×H×W and `style` 1×3×h×w, as VGG takes them, to `content_loss`, `style_loss`, their sum `loss` with the total
/// variation, and the `gradient` 1×3×H×W of the latter with respect to `image`. Losses are those of neural-style: means, of Gram matrices
/// divided by C·H·W, each times its layer's weight.
///
/// Names as in torchvision's VGG, whose convolutions these are.
public final class Gatys: Network {
  /// VGG's five blocks.
  public let features: Sequential
  /// What was asked for.
  public let configuration: Configuration

  /// Pictures to losses and a gradient.
  public let signature = Signature(
    inputs: [
      TensorPort("image", [1, 3, "H", "W"]), TensorPort("content", [1, 3, "H", "W"]),
      TensorPort("style", [1, 3, "h", "w"]),
    ],
    outputs: [
      TensorPort("content_loss", []), TensorPort("style_loss", []), TensorPort("loss", []),
      TensorPort("gradient", [1, 3, "H", "W"]),
    ])

  /// What differs between such losses.
  public struct Configuration: Sendable, Hashable {
    /// VGG-16 or VGG-19.
    let depth: Depth
    /// Where contents are compared, and how much that counts.
    var contentLayers: [WeightedLayer]
    /// Where styles are compared, and how much that counts.
    var styleLayers: [WeightedLayer]
    /// Of the sum of differences between neighbouring values.
    var variationWeight: Double = 0
    var pooling = FeatureTrunk.Pooling.max
    /// Whether poolings keep a last row or column that is alone.
    var usesCeiling = false

    /// Columns D and E of VGG's table 1.
    enum Depth: Int, Sendable, Hashable, CaseIterable {
      case vgg16 = 16
      case vgg19 = 19

      var vgg: VGG.Configuration { self == .vgg16 ? .vgg16 : .vgg19 }
    }

    /// A place and how much it counts.
    struct WeightedLayer: Sendable, Hashable {
      let layer: FeatureLayer
      let weight: Double
    }

    /// The layers and weights of neural-style.
    init(_ depth: Depth, usesCeiling: Bool = false) {
      self.depth = depth
      self.usesCeiling = usesCeiling
      contentLayers = [WeightedLayer(layer: FeatureLayer(kind: .relu, block: 4, index: 2), weight: 5)]
      styleLayers = (1...5).map {
        WeightedLayer(layer: FeatureLayer(kind: .relu, block: $0, index: 1), weight: 100)
      }
    }

    var trunk: FeatureTrunk {
      FeatureTrunk(convolutions: depth.vgg.convolutions, pooling: pooling, usesCeiling: usesCeiling)
    }

    /// All places that are compared, each once.
    var layers: [FeatureLayer] {
      (contentLayers + styleLayers).map(\.layer).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
  }

  /// The losses with convolutions of first values.
  public init(_ configuration: Configuration) {
    self.configuration = configuration
    features = VGG.features(configuration.depth.vgg).layers
  }

  /// Weights and biases of the convolutions, in order.
  var weights: [Tensor] {
    features.layers.compactMap { $0 as? Conv2d }.flatMap { [$0.weight.value, $0.bias!.value] }
  }

  /// The activations of a picture N×3×H×W, as VGG takes it, at some places.
  func activations(of picture: Tensor, at layers: [FeatureLayer]) -> [Tensor] {
    configuration.trunk.activations(of: picture, weights, at: layers)
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let (image, trunk, layers) = (inputs["image"], configuration.trunk, configuration.layers)
    let (contentLayers, styleLayers) = (configuration.contentLayers, configuration.styleLayers)
    let found = zip(layers, activations(of: image, at: layers)).map { ($0, GatysLoss.matrix($1)) }
    let contents = activations(of: inputs["content"], at: contentLayers.map(\.layer))
    let styles = activations(of: inputs["style"], at: styleLayers.map(\.layer))

    var seeds = [FeatureLayer: Tensor]()
    func add(_ gradient: Tensor, times weight: Double, at layer: FeatureLayer) {
      let product = gradient * Float(weight)
      seeds[layer] = seeds[layer].map { $0 + product } ?? product
    }
    let features = Dictionary(uniqueKeysWithValues: found)
    var (contentLoss, styleLoss) = (Tensor(Float(0)), Tensor(Float(0)))
    for (place, target) in zip(contentLayers, contents.map(GatysLoss.matrix)) {
      let f = features[place.layer]!
      contentLoss = contentLoss + GatysLoss.content(f, target) * Float(place.weight)
      add(GatysLoss.contentGradient(f, target, count: f.count), times: place.weight, at: place.layer)
    }
    for (place, style) in zip(styleLayers, styles.map(GatysLoss.matrix)) {
      let f = features[place.layer]!
      let (gram, target) = (GatysLoss.gram(f) / Float(f.count), GatysLoss.gram(style) / Float(style.count))
      styleLoss = styleLoss + GatysLoss.style(gram, target) * Float(place.weight)
      add(
        GatysLoss.styleGradient(f, gram, target, divisor: Float(f.count)), times: place.weight,
        at: place.layer)
    }

    let flat = layers.map { seeds[$0]! }
    var gradient = pulledBack(flat, at: image, beside: weights) { picture, weights in
      trunk.activations(of: picture, weights, at: layers).map(GatysLoss.matrix)
    }
    var loss = contentLoss + styleLoss
    let variationWeight = Float(configuration.variationWeight)
    if variationWeight > 0 {
      loss = loss + GatysLoss.variation(image) * variationWeight
      gradient = gradient + GatysLoss.variationGradient(image) * variationWeight
    }
    return ["content_loss": contentLoss, "style_loss": styleLoss, "loss": loss, "gradient": gradient]
  }
}
