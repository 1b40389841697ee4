import AviaryLayers
import AviaryTensors

/// Holistically-nested edge detection (Xie & Tu 2015, "Holistically-Nested Edge Detection", arXiv:1504.06375, figure 3): VGG-16's
/// convolutions, an opinion from each of the five blocks, and what the five together say.
///
/// `image` N×3×H×W to `logits` N×1×H×W, positive on edges, and to `side1` … `side5`, the opinions of the blocks as large as the picture.
/// The convolutions have torchvision's names, the others those of the Keras port.
public final class HED: Network {
  /// VGG-16's five blocks.
  public let features: Sequential
  /// 1×1, from the first block's last activations to its opinion.
  public let dsn1: Conv2d
  /// As ``dsn1``, of the second block.
  public let dsn2: Conv2d
  /// As ``dsn1``, of the third block.
  public let dsn3: Conv2d
  /// As ``dsn1``, of the fourth block.
  public let dsn4: Conv2d
  /// As ``dsn1``, of the fifth block.
  public let dsn5: Conv2d
  /// 1×1, from the five opinions to one.
  public let fuse: Conv2d

  /// `image` to `logits` and the opinions.
  public let signature = Signature(
    inputs: [TensorPort("image", ["N", 3, "H", "W"])],
    outputs: [TensorPort("logits", ["N", 1, "H", "W"])]
      + (1...5).map { TensorPort("side\($0)", ["N", 1, "H", "W"]) })

  /// Its poolings keep a row or column that is alone.
  private static let trunk = FeatureTrunk(
    convolutions: VGG.Configuration.vgg16.convolutions, pooling: .max, usesCeiling: true)

  /// A network with first values, ready to be trained.
  public init() {
    features = VGG.features(.vgg16).layers
    func opinion(_ channels: Int) -> Conv2d { Conv2d(channels, 1, kernel: 1, initializer: .zeros) }
    dsn1 = opinion(64)
    dsn2 = opinion(128)
    dsn3 = opinion(256)
    dsn4 = opinion(512)
    dsn5 = opinion(512)
    // At first they are averaged, as in the paper.
    fuse = Conv2d(5, 1, kernel: 1, initializer: .constant(0.2))
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let image = inputs["image"]
    let sides = sides(image)
    let logits = fuse(concatenate(sides, axis: 1))
    return NamedTensors(
      [("logits", logits)] + sides.enumerated().map { ("side\($0 + 1)", $1) })
  }

  /// The opinions of the five blocks, each N×1×H×W.
  private func sides(_ image: Tensor) -> [Tensor] {
    let weights = features.layers.compactMap { $0 as? Conv2d }.flatMap { [$0.weight.value, $0.bias!.value] }
    let ends = Self.trunk.convolutions.enumerated().map {
      FeatureLayer(kind: .relu, block: $0 + 1, index: $1)
    }
    let activations = Self.trunk.activations(of: image, weights, at: ends)
    return zip([dsn1, dsn2, dsn3, dsn4, dsn5], activations).map { layer, activations in
      layer(activations).interpolated(to: Array(image.shape[2...]), .linear(alignsCorners: false))
    }
  }
}
