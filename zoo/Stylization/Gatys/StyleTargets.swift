import AviaryTensors
import AviaryVision

/// What a picture of one size is to become: the content's activations, and the Gram matrices of each region's style.
struct StyleTargets {
  /// Where a style goes.
  struct Region {
    /// m by the number of poolings before it, 1×1×h×w; empty where it goes everywhere.
    let masks: [Int: Tensor]
    /// Gram matrices of the style layers, divided by C and the positions.
    let grams: [Tensor]
    /// Weights of the style layers in the loss.
    let weights: [Float]
  }

  /// The content's values, 1×3×H×W.
  let content: Tensor
  /// F̂ of the content layers; nil where they are computed tile by tile.
  let contentFeatures: [Tensor]?
  /// Weights of the content layers in the loss.
  let contentWeights: [Float]
  /// All regions.
  let regions: [Region]
  /// What is worked on at a time.
  let tiles: [StyleTile]
}

extension GatysObjective {
  /// The targets for a content picture.
  ///
  /// - Parameters:
  ///   - styles: pictures and their shares.
  ///   - masks: where each style goes, 1×1×H×W from 0 to 1; empty where all go everywhere, mixed.
  ///   - contentWeight: of the content's loss, which is counted in parts of the content's own activations.
  ///   - styleWeight: of the style's loss, which is counted in parts of how far the content is from the style: weights mean the same for whatever
  ///     network, layer and scale of pictures.
  func targets(
    content: Tensor, styles: [(values: Tensor, share: Float, mask: Tensor?)], masks: [Tensor],
    contentWeight: Float, styleWeight: Float
  ) -> StyleTargets {
    let tiles = grid(of: content)
    var squares = contentLayers.map { _ in (sum: Float(0), count: 0) }
    var contentFeatures: [Tensor]?
    for tile in tiles {
      let found = activations(tile.piece(of: content), at: contentLayers.map(\.layer))
      if tiles.count == 1 { contentFeatures = found.map(GatysLoss.matrix) }
      for (place, (layer, features)) in zip(contentLayers.map(\.layer), found).enumerated() {
        let inner = inner(features, tile, layer)
        guard let inner else { continue }
        squares[place].sum += inner.square().sum().item()
        squares[place].count += inner.count
      }
    }
    let contentShare = contentLayers.reduce(0) { $0 + $1.weight }
    let contentWeights = zip(contentLayers, squares).map { layer, square in
      Self.relative(contentWeight * layer.weight / contentShare, square.sum / Float(max(square.count, 1)))
    }
    let grams = styles.map { style in
      self.grams(of: style.values, masks: style.mask.map { [maskPyramid($0)] } ?? [[:]])[0]
    }
    let targets =
      masks.isEmpty
      ? [
        styleLayers.indices.map { layer in
          zip(grams, styles).reduce(Tensor(Float(0))) { $0 + $1.0[layer] * $1.1.share }
        }
      ] : grams
    let pyramids = masks.isEmpty ? [[:]] : masks.map(maskPyramid)
    let shares = masks.isEmpty ? [1] : styles.map { $0.share * Float(styles.count) }
    let own = self.grams(of: content, masks: pyramids)
    let regions = targets.indices.map { index in
      StyleTargets.Region(
        masks: pyramids[index], grams: targets[index],
        weights: styleWeights(own[index], targets[index], styleWeight * shares[index]))
    }
    return StyleTargets(
      content: content, contentFeatures: contentFeatures, contentWeights: contentWeights,
      regions: regions, tiles: tiles)
  }

  /// The weights of the style layers where the content has Gram matrices of its own. What is like the style already still counts a little.
  private func styleWeights(_ own: [Tensor], _ targets: [Tensor], _ weight: Float) -> [Float] {
    let share = styleLayers.reduce(0) { $0 + $1.weight }
    return styleLayers.indices.map { place in
      let distance = GatysLoss.style(own[place], targets[place]).item()
      let size = targets[place].square().mean().item()
      return Self.relative(weight * styleLayers[place].weight / share, max(distance, 1e-3 * size))
    }
  }

  /// A weight per square of the target's size. A target that is nothing, as of a black picture, asks for nothing.
  private static func relative(_ weight: Float, _ square: Float) -> Float {
    square > 1e-20 ? weight / square : 0
  }

  /// A mask as activations behind 0 to 4 poolings see it.
  private func maskPyramid(_ mask: Tensor) -> [Int: Tensor] {
    let means = FeatureTrunk(
      convolutions: trunk.convolutions, pooling: .average, usesCeiling: trunk.usesCeiling)
    var result = [0: mask]
    for level in 1..<trunk.convolutions.count { result[level] = means.pooled(result[level - 1]!) }
    return result
  }
}
