import AviaryLayers
import AviaryTensors

/// A feature pyramid (Lin, Dollár, Girshick, He, Hariharan & Belongie 2017, "Feature Pyramid Networks for Object Detection",
/// arXiv:1612.03144, figure 3): from a body's maps to maps of equal channels, 256 as a rule, each joined with what the coarser ones saw.
package final class FeaturePyramid: Module {
  /// 1×1 convolutions to the pyramid's channels, finest map first.
  package let innerBlocks: [Sequential]
  /// 3×3 convolutions on the sums.
  package let layerBlocks: [Sequential]
  /// Two coarser levels by strided convolutions; nil where there is one by leaving out every second pixel.
  package let extraBlocks: CoarserLevels?

  /// Channels of all levels in torchvision's detectors.
  static let channels = 256

  /// What stands above the coarsest map of the body.
  enum Top: Sendable, Hashable {
    /// Every second pixel of the coarsest level.
    case everySecond
    /// P6 and P7 of RetinaNet, from the coarsest level, or from the body's last map.
    case convolutions(fromBody: Bool)
  }

  /// - Parameters:
  ///   - channels: of the body's maps, finest first.
  ///   - width: channels of all levels.
  ///   - hasNorm: whether batch normalization stands in the place of biases.
  init(_ channels: [Int], width: Int, hasNorm: Bool, top: Top) {
    func unit(_ inputs: Int, _ kernel: Int) -> Sequential {
      let conv = Conv2d(
        inputs, width, kernel: Extents(kernel), padding: .symmetric(Extents(kernel / 2)), bias: !hasNorm,
        initializer: .kaimingUniform(gain: 1))
      return hasNorm ? Sequential(conv, BatchNorm(width)) : Sequential(conv)
    }
    innerBlocks = channels.map { unit($0, 1) }
    layerBlocks = channels.map { _ in unit(width, 3) }
    extraBlocks =
      switch top {
      case .everySecond: nil
      case .convolutions(let fromBody): CoarserLevels(fromBody ? channels.last! : nil, width: width)
      }
  }

  /// The levels, finest first, for the body's maps.
  func callAsFunction(_ maps: [Tensor]) -> [Tensor] {
    var upper = innerBlocks.last!(maps.last!)
    var levels = [layerBlocks.last!(upper)]
    for place in maps.indices.dropLast().reversed() {
      let lateral = innerBlocks[place](maps[place])
      upper = lateral + upper.interpolated(to: Array(lateral.shape[2...]), .nearest)
      levels.insert(layerBlocks[place](upper), at: 0)
    }
    if let extraBlocks { return levels + extraBlocks(level: levels.last!, map: maps.last!) }
    return levels + [MaxPool2d(kernel: 1, stride: 2)(levels.last!)]
  }
}

/// P6 and P7 (Lin, Goyal, Girshick, He & Dollár 2017, arXiv:1708.02002, section 4).
package final class CoarserLevels: Module {
  /// 3×3, stride 2.
  package let p6: Conv2d
  /// 3×3, stride 2, after a ReLU.
  package let p7: Conv2d
  private let isFromBody: Bool

  /// - Parameters:
  ///   - channels: of the body's last map, where P6 is made of it.
  ///   - width: channels of all levels.
  init(_ channels: Int?, width: Int) {
    isFromBody = channels != nil
    func conv(_ inputs: Int) -> Conv2d {
      Conv2d(
        inputs, width, kernel: 3, stride: 2, padding: 1, initializer: .kaimingUniform(gain: 1))
    }
    p6 = conv(channels ?? width)
    p7 = conv(width)
  }

  func callAsFunction(level: Tensor, map: Tensor) -> [Tensor] {
    let first = p6(isFromBody ? map : level)
    return [first, p7(first.relu())]
  }
}

/// A body with its pyramid: `backbone` of torchvision's detectors.
package final class PyramidBackbone: Module {
  /// From the picture to maps.
  package let body: any PyramidBody
  /// From the last of the maps to levels.
  package let fpn: FeaturePyramid
  private let count: Int

  /// - Parameters:
  ///   - levels: how many of the body's maps, the coarsest, are taken.
  ///   - width: C of the levels.
  init(
    _ body: any PyramidBody, levels: Int, width: Int = FeaturePyramid.channels, hasNorm: Bool = false,
    top: FeaturePyramid.Top
  ) {
    self.body = body
    count = levels
    fpn = FeaturePyramid(
      Array(body.mapChannels.suffix(levels)), width: width, hasNorm: hasNorm, top: top)
  }

  /// Pictures N×3×H×W to levels N×C×h×w, finest first.
  func callAsFunction(_ image: Tensor) -> [Tensor] { fpn(body.maps(image).suffix(count)) }
}

/// A classifier's convolutions that give several maps.
package protocol PyramidBody: Module {
  /// Channels of ``maps(_:)``.
  var mapChannels: [Int] { get }
  /// Maps of pictures N×3×H×W, finest first.
  func maps(_ image: Tensor) -> [Tensor]
}

extension ResNet: PyramidBody {
  package var mapChannels: [Int] {
    [layer1, layer2, layer3, layer4].map { group in
      let last = group.layers.last as! ResidualBlock
      return (last.conv3 ?? last.conv2).weight.shape[0]
    }
  }

  /// What layer1 to layer4 return.
  package func maps(_ image: Tensor) -> [Tensor] {
    var value = image
    let results = stages.map { stage in
      value = stage(value)
      return value
    }
    return Array(results.dropFirst())
  }
}

/// The convolutions of a MobileNetV3 with the numbers of their places, batch normalization frozen. Maps are what the last block that halves
/// the resolution returns, and the last convolution: both of stride 32.
package final class MobileNetBody: PyramidBody, Container {
  private let features: Sequential
  private let ends: [Int]

  init() {
    features = MobileNetV3(.large, .frozen).features
    ends = [13, 16]
  }

  package var namedChildren: [(name: String, module: any Module)] { features.namedChildren }
  package var mapChannels: [Int] { [160, 960] }

  package func maps(_ image: Tensor) -> [Tensor] {
    var (value, start) = (image, 0)
    return ends.map { end in
      value = features[start..<end + 1](value)
      start = end + 1
      return value
    }
  }
}
