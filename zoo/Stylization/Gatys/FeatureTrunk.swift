import AviaryLayers
import AviaryTensors

/// A place in VGG whose activations describe a picture: `conv4_2` before and `relu4_2` behind a ReLU, `pool4` at the end of a block.
public struct FeatureLayer: Hashable, Sendable {
  /// What stands there.
  public enum Kind: String, Sendable, Hashable {
    /// The result of a convolution.
    case conv
    /// The same where it is positive.
    case relu
    /// The result of the pooling behind a block.
    case pool
  }

  /// What stands there.
  public let kind: Kind
  /// From 1 to 5.
  public let block: Int
  /// Which convolution of the block, from 1; 0 for the pooling.
  public let index: Int

  /// As papers write it: `relu4_2`.
  public var name: String { kind == .pool ? "pool\(block)" : "\(kind.rawValue)\(block)_\(index)" }
}

/// VGG's convolutions as a function of a picture and their weights, which style transfer may change the pooling of.
struct FeatureTrunk: Sendable, Hashable {
  /// How a block ends.
  enum Pooling: String, Sendable, Hashable, CaseIterable {
    case max, average
  }

  /// Of each block.
  let convolutions: [Int]
  let pooling: Pooling
  /// Whether poolings keep a last row or column that is alone, as TensorFlow's SAME does.
  let usesCeiling: Bool

  /// All places, in order.
  var layers: [FeatureLayer] {
    convolutions.enumerated().flatMap { place, count in
      (1...count).flatMap { index in
        [FeatureLayer.Kind.conv, .relu].map { FeatureLayer(kind: $0, block: place + 1, index: index) }
      } + [FeatureLayer(kind: .pool, block: place + 1, index: 0)]
    }
  }

  /// The activations of a picture N×3×H×W at some places, each N×C×h×w. Nothing is computed behind the last of them.
  ///
  /// - Parameter weights: O×C×3×3 and O of each convolution, in order.
  func activations(of picture: Tensor, _ weights: [Tensor], at wanted: [FeatureLayer]) -> [Tensor] {
    var found: [FeatureLayer: Tensor] = [:]
    var missing = Set(wanted)
    func keep(_ layer: FeatureLayer, _ value: Tensor) {
      if missing.remove(layer) != nil { found[layer] = value }
    }
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
    var (x, place) = (picture, 0)
    for (block, count) in convolutions.enumerated() where !missing.isEmpty {
      for index in 1...count where !missing.isEmpty {
        let (weight, bias) = (weights[place], weights[place + 1])
        place += 2
        let before = FeatureLayer(kind: .conv, block: block + 1, index: index)
        if missing.contains(before) || Trace.isActive {
          x = convolution(x, weight, bias: bias, geometry)
          keep(before, x)
          x = x.relu()
        } else {
          x = convolution(x, weight, bias: bias, geometry, rectifies: true)
        }
        keep(FeatureLayer(kind: .relu, block: block + 1, index: index), x)
      }
      if missing.isEmpty { break }
      x = pooled(x)
      keep(FeatureLayer(kind: .pool, block: block + 1, index: 0), x)
    }
    return wanted.map { found[$0]! }
  }

  /// Half the height and width; a side of one pixel stays one, so that there are activations of the smallest picture.
  func pooled(_ x: Tensor) -> Tensor {
    let geometry = PoolingGeometry(
      kernel: x.shape.dropFirst(2).map { $0 == 1 ? 1 : 2 }, usesCeiling: usesCeiling)
    switch pooling {
    case .max: return x.maxPooled(geometry)
    case .average: return x.averagePooled(geometry)
    }
  }

  /// How many poolings stand before a place.
  static func poolings(before layer: FeatureLayer) -> Int {
    layer.kind == .pool ? layer.block : layer.block - 1
  }

  /// How many pixels to each side an activation there depends on.
  func reach(of layer: FeatureLayer) -> Int {
    var (reach, jump) = (0, 1)
    for block in 1...layer.block {
      let isLast = block == layer.block && layer.kind != .pool
      reach += jump * (isLast ? layer.index : convolutions[block - 1])
      if isLast { break }
      reach += jump
      jump *= 2
    }
    return reach
  }
}
