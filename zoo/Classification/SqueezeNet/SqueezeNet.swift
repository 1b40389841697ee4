import AviaryLayers
import AviaryTensors

/// SqueezeNet (Iandola, Han, Moskewicz, Ashraf, Dally & Keutzer 2016, "SqueezeNet: AlexNet-Level Accuracy with 50x Fewer Parameters and
/// <0.5MB Model Size", arXiv:1602.07360, table 1).
///
/// A convolution, eight Fire modules with maxima between them, a 1×1 convolution that makes one map per class, and its mean.
/// Input N×3×224×224. Names as torchvision's.
public final class SqueezeNet: StagedModel {
  /// The first convolution and the Fire modules, with 3×3 maxima between them: to N×512×h×w.
  package let features: Sequential
  /// Dropout, a 1×1 convolution to one map per class, ReLU, and the mean of each map.
  package let classifier: Sequential
  /// The places in `features` where a maximum ends a stage.
  private let stageEnds: [Int]

  /// A version: the same modules with the maxima in other places.
  public struct Configuration: Sendable, Hashable {
    /// Filters of the first convolution.
    public let filters: Int
    /// Height and width of those filters.
    public let kernel: Int
    /// The squeeze widths between one maximum and the next; each expand width is four times that.
    public let squeezes: [[Int]]
    /// Whether a maximum keeps a last window that reaches beyond the edge: torchvision's do, Keras' do not.
    public var usesCeiling = true

    /// The paper's.
    public static let squeezeNet10 = Configuration(
      filters: 96, kernel: 7, squeezes: [[16, 16, 32], [32, 48, 48, 64], [64]])
    /// The authors' later version with 2.4 times fewer multiply-adds.
    public static let squeezeNet11 = Configuration(
      filters: 64, kernel: 3, squeezes: [[16, 16], [32, 32], [48, 48, 64, 64]])

    /// The same version with maxima that leave such a window out.
    public var withoutCeiling: Configuration {
      var copy = self
      copy.usesCeiling = false
      return copy
    }
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration, classes: Int = 1000, dropout: Float = 0.5) {
    var channels = configuration.filters
    var layers: [any Layer] = [
      Conv2d(
        3, channels, kernel: Extents(configuration.kernel), stride: 2, initializer: .kaimingUniform()),
      Activate(.relu),
    ]
    var ends: [Int] = []
    for squeezes in configuration.squeezes {
      layers.append(MaxPool2d(kernel: 3, stride: 2, usesCeiling: configuration.usesCeiling))
      ends.append(layers.count)
      for squeeze in squeezes {
        layers.append(Fire(channels, squeeze: squeeze, expand: 4 * squeeze))
        channels = 8 * squeeze
      }
    }
    features = Sequential(layers)
    stageEnds = ends + [layers.count]
    classifier = Sequential(
      Dropout(dropout),
      Conv2d(channels, classes, kernel: 1, initializer: .normal(standardDeviation: 0.01)),
      Activate(.relu), AdaptiveAvgPool2d(1), Flatten())
  }

  /// The layers up to each maximum and behind the last one, then the classifier.
  public var stages: [Stage] {
    zip([0] + stageEnds, stageEnds).enumerated().map { index, range in
      Stage("block\(index + 1)", "features", features, range.0..<range.1)
    } + [Stage("classifier", [("classifier", classifier)])]
  }
}

/// A 1×1 convolution to few channels, then 1×1 and 3×3 convolutions of those side by side (figure 1).
package final class Fire: Layer {
  /// 1×1 to few channels (s₁ₓ₁).
  package let squeeze: Conv2d
  /// 1×1 on the squeezed channels (e₁ₓ₁), the first half of the result.
  package let expand1x1: Conv2d
  /// 3×3 on the squeezed channels (e₃ₓ₃), the second half of the result.
  package let expand3x3: Conv2d

  /// - Parameter expand: channels of each of the two expanding convolutions.
  init(_ inputs: Int, squeeze width: Int, expand: Int) {
    squeeze = Conv2d(inputs, width, kernel: 1, initializer: .kaimingUniform())
    expand1x1 = Conv2d(width, expand, kernel: 1, initializer: .kaimingUniform())
    expand3x3 = Conv2d(width, expand, kernel: 3, padding: 1, initializer: .kaimingUniform())
  }

  /// N×C×H×W to N×2E×H×W, E being the expand width.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    let squeezed = squeeze.rectified(input)
    return concatenate([expand1x1.rectified(squeezed), expand3x3.rectified(squeezed)], axis: 1)
  }
}

extension SqueezeNet {
  /// Both versions. Of the second there are weights in Keras (R. Malli's), made with Caffe's preprocessing.
  static let entries = [
    ZooEntry(
      "squeezenet1_0", smallestSide: 21,
      [Dialect("tv_v1", .torchvision) { SqueezeNet(.squeezeNet10, classes: $0) }]),
    ZooEntry(
      "squeezenet1_1", smallestSide: 31,
      [
        Dialect("tv_v1", .torchvision) { SqueezeNet(.squeezeNet11, classes: $0) },
        Dialect("keras", nameMaps: ["keras_squeezenet"], .caffe.rounded(.nearest)) {
          SqueezeNet(.squeezeNet11.withoutCeiling, classes: $0)
        },
      ]),
  ]
}
