import AviaryTensors

/// The losses of a picture against its targets, with the gradient, whole or tile by tile.
struct GatysObjective {
  let trunk: FeatureTrunk
  /// Of the trunk's convolutions.
  let weights: [Tensor]
  let scale: PictureScale
  let contentLayers: [(layer: FeatureLayer, weight: Float)]
  let styleLayers: [(layer: FeatureLayer, weight: Float)]
  /// Side of the tiles that larger pictures are worked on in.
  let tileSide: Int

  /// What a picture's losses are, each with its weight, and which way they grow.
  struct Evaluation {
    var content: Float = 0
    var style: Float = 0
    var variation: Float = 0
    var gradient: Tensor
    var total: Float { content + style + variation }
  }

  /// All places that are compared, each once.
  private var layers: [FeatureLayer] {
    (contentLayers + styleLayers).map(\.layer).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// The tiles of a picture.
  func grid(of picture: Tensor) -> [StyleTile] {
    StyleTile.grid(
      height: picture.shape[2], width: picture.shape[3], side: tileSide,
      margin: layers.map(trunk.reach).max() ?? 0)
  }

  /// The activations of values 1×3×H×W.
  func activations(_ values: Tensor, at layers: [FeatureLayer]) -> [Tensor] {
    trunk.activations(of: scale.input(values), weights, at: layers)
  }

  /// What of a tile's activations is counted, as F; nil where nothing is.
  func inner(_ activations: Tensor, _ tile: StyleTile, _ layer: FeatureLayer) -> Tensor? {
    let places = tile.counted(in: activations.shape, poolings: FeatureTrunk.poolings(before: layer))
    guard !places.rows.isEmpty, !places.columns.isEmpty else { return nil }
    return GatysLoss.matrix(activations.sliced(2, places.rows).sliced(3, places.columns))
  }

  /// m, 1×P, at the places of a tile that are counted; nil for ones.
  private func mask(
    _ masks: [Int: Tensor], _ tile: StyleTile, _ layer: FeatureLayer, _ shape: Shape
  ) -> Tensor? {
    let poolings = FeatureTrunk.poolings(before: layer)
    guard let mask = masks[poolings] else { return nil }
    let places = tile.places(tile.counted(in: shape, poolings: poolings), poolings: poolings)
    return mask.sliced(2, places.rows).sliced(3, places.columns).reshaped([1, -1])
  }

  /// Sums over tiles.
  private struct GramSum {
    var matrix: Tensor?
    var positions: Float = 0
    let channels: Int

    mutating func add(_ features: Tensor, _ mask: Tensor?) {
      let product = GatysLoss.gram(features, mask: mask)
      matrix = matrix.map { $0 + product } ?? product
      positions += mask?.sum().item() ?? Float(features.shape[1])
    }

    /// C times the positions; at least a thousandth of one, so that an empty region has a Gram matrix of zeros.
    var divisor: Float { Float(channels) * max(positions, 1e-3) }
    var gram: Tensor { (matrix ?? .zeros([channels, channels])) / divisor }
  }

  /// The Gram matrices of a picture for each of some masks, layer by layer.
  func grams(of picture: Tensor, masks: [[Int: Tensor]]) -> [[Tensor]] {
    var sums = masks.map { _ in [GramSum?](repeating: nil, count: styleLayers.count) }
    for tile in grid(of: picture) {
      let found = activations(tile.piece(of: picture), at: styleLayers.map(\.layer))
      add(found, tile, masks, to: &sums)
    }
    return sums.map { $0.map { $0!.gram } }
  }

  private func add(
    _ activations: [Tensor], _ tile: StyleTile, _ masks: [[Int: Tensor]], to sums: inout [[GramSum?]]
  ) {
    for (place, (layer, found)) in zip(styleLayers.map(\.layer), activations).enumerated() {
      let inner = inner(found, tile, layer)
      for region in masks.indices {
        sums[region][place] = sums[region][place] ?? GramSum(channels: found.shape[1])
        guard let inner else { continue }
        sums[region][place]!.add(inner, mask(masks[region], tile, layer, found.shape))
      }
    }
  }

  /// The losses of a picture's values and their gradient.
  ///
  /// Of several tiles all Gram matrices are added up first, then each tile gets its share of the gradient: the same as of the whole picture,
  /// in the memory of one tile.
  func evaluation(of values: Tensor, _ targets: StyleTargets, variationWeight: Float) -> Evaluation {
    let layers = layers
    let masks = targets.regions.map(\.masks)
    var sums = masks.map { _ in [GramSum?](repeating: nil, count: styleLayers.count) }
    var single: (found: [FeatureLayer: Tensor], leaf: Leaf)?
    for tile in targets.tiles {
      if targets.tiles.count == 1 {
        single = recorded(values, layers)
        add(styleLayers.map { single!.found[$0.layer]!.detached }, tile, masks, to: &sums)
      } else {
        add(activations(tile.piece(of: values), at: styleLayers.map(\.layer)), tile, masks, to: &sums)
      }
    }
    var result = Evaluation(gradient: .zeros(values.shape))
    for (region, sums) in zip(targets.regions, sums) {
      for (place, sum) in sums.enumerated() {
        result.style += GatysLoss.style(sum!.gram, region.grams[place]).item() * region.weights[place]
      }
    }
    let grams = sums.map { $0.map { (gram: $0!.gram, divisor: $0!.divisor) } }
    for tile in targets.tiles {
      let (found, leaf) = single ?? recorded(tile.piece(of: values), layers)
      single = nil
      let contents =
        targets.contentFeatures
        ?? activations(tile.piece(of: targets.content), at: contentLayers.map(\.layer)).enumerated().map {
          inner($1, tile, contentLayers[$0].layer) ?? .zeros([$1.shape[1], 0])
        }
      let (seeds, loss) = seeds(found, tile, targets, contents, grams)
      result.content += loss
      let gradient = backward(from: layers.map { found[$0]! }, seeds: seeds, to: [leaf])[0]
      if let gradient { result.gradient.add(gradient, at: tile) }
    }
    if variationWeight > 0 {
      let weight = variationWeight / (255 * Float(values.count))
      result.variation = GatysLoss.variation(values).item() * weight
      result.gradient = result.gradient + GatysLoss.variationGradient(values) * weight
    }
    return result
  }

  private func recorded(_ values: Tensor, _ layers: [FeatureLayer]) -> (
    found: [FeatureLayer: Tensor], leaf: Leaf
  ) {
    let leaf = Leaf()
    let found = withRecording { activations(values.tracked(as: leaf), at: layers) }
    return (Dictionary(uniqueKeysWithValues: zip(layers, found)), leaf)
  }

  /// The derivative of the losses with respect to a tile's activations, and its part of the content's loss.
  private func seeds(
    _ found: [FeatureLayer: Tensor], _ tile: StyleTile, _ targets: StyleTargets, _ contents: [Tensor],
    _ grams: [[(gram: Tensor, divisor: Float)]]
  ) -> (seeds: [Tensor], contentLoss: Float) {
    var loss: Float = 0
    let seeds = layers.map { layer -> Tensor in
      let activations = found[layer]!.detached
      var sum: Tensor?
      guard let features = inner(activations, tile, layer) else { return .zeros(activations.shape) }
      for (place, content) in contentLayers.enumerated() where content.layer == layer {
        let weight = targets.contentWeights[place]
        let count = targets.count(of: layer, channels: features.shape[0], trunk)
        loss += (features - contents[place]).square().sum().item() * weight / Float(count)
        sum.add(GatysLoss.contentGradient(features, contents[place], count: count) * weight)
      }
      for (place, style) in styleLayers.enumerated() where style.layer == layer {
        for (region, grams) in zip(targets.regions, grams) {
          let mask = mask(region.masks, tile, layer, activations.shape)
          let gradient = GatysLoss.styleGradient(
            features, grams[place].gram, region.grams[place], divisor: grams[place].divisor, mask: mask)
          sum.add(gradient * region.weights[place])
        }
      }
      let places = tile.counted(in: activations.shape, poolings: FeatureTrunk.poolings(before: layer))
      let (height, width) = (activations.shape[2], activations.shape[3])
      let padding = Padding(
        before: [places.rows.lowerBound, places.columns.lowerBound],
        after: [height - places.rows.upperBound, width - places.columns.upperBound])
      return sum!.reshaped([1, activations.shape[1], places.rows.count, places.columns.count])
        .padded(spatially: padding)
    }
    return (seeds, loss)
  }
}

extension StyleTargets {
  /// Values of a layer's activations of the whole picture.
  fileprivate func count(of layer: FeatureLayer, channels: Int, _ trunk: FeatureTrunk) -> Int {
    (0..<FeatureTrunk.poolings(before: layer)).reduce(Array(content.shape[2...])) { extents, _ in
      extents.map { max(1, trunk.usesCeiling ? ($0 + 1) / 2 : $0 / 2) }
    }.reduce(channels, *)
  }
}

extension Tensor? {
  fileprivate mutating func add(_ other: Tensor) { self = map { $0 + other } ?? other }
}

extension Tensor {
  /// Adds what belongs to a tile of this 1×C×H×W.
  fileprivate mutating func add(_ piece: Tensor, at tile: StyleTile) {
    let (channels, height, width) = (shape[1], shape[2], shape[3])
    withUnsafeMutableValues { (target: UnsafeMutableBufferPointer<Float>) in
      piece.withUnsafeValues { (source: UnsafeBufferPointer<Float>) in
        var next = 0
        for channel in 0..<channels {
          for row in tile.rows {
            let start = (channel * height + row) * width
            for column in tile.columns {
              target[start + column] += source[next]
              next += 1
            }
          }
        }
      }
    }
  }
}
