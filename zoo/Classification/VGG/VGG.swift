import AviaryLayers
import AviaryTensors

/// VGG (Simonyan & Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition", arXiv:1409.1556, table 1).
///
/// Five blocks of 3×3 convolutions, each followed by a 2×2 maximum, then three linear layers. Input N×3×224×224.
/// Names as torchvision's. Keras' networks are the same functions of differently preprocessed pictures.
public final class VGG: StagedModel {
  /// The five blocks with their maxima: N×3×224×224 to N×512×7×7.
  package let features: Sequential
  /// FC-4096 twice, with ReLU and dropout, and the layer of logits.
  package let classifier: Sequential
  /// The places in `features` where the five blocks end.
  private let blockEnds: [Int]

  /// A column of table 1: how many convolutions each block has.
  public struct Configuration: Sendable, Hashable {
    /// Of each of the five blocks.
    public let convolutions: [Int]
    /// Whether a batch normalization stands between each convolution and its ReLU, as in none of the paper's.
    public var hasBatchNorm = false

    /// Column A.
    public static let vgg11 = Configuration(convolutions: [1, 1, 2, 2, 2])
    /// Column B.
    public static let vgg13 = Configuration(convolutions: [2, 2, 2, 2, 2])
    /// Column D.
    public static let vgg16 = Configuration(convolutions: [2, 2, 3, 3, 3])
    /// Column E.
    public static let vgg19 = Configuration(convolutions: [2, 2, 4, 4, 4])

    /// With batch normalization after every convolution.
    public var withBatchNorm: Configuration { Configuration(convolutions: convolutions, hasBatchNorm: true) }
  }

  /// A network with first values; `dropout` is the share of features dropped behind the first two linear layers.
  public init(_ configuration: Configuration, classes: Int = 1000, dropout: Float = 0.5) {
    (features, blockEnds) = Self.features(configuration)
    let initializer = Initializer.normal(standardDeviation: 0.01)
    classifier = Sequential(
      Linear(512 * 7 * 7, 4096, initializer: initializer), Activate(.relu), Dropout(dropout),
      Linear(4096, 4096, initializer: initializer), Activate(.relu), Dropout(dropout),
      Linear(4096, classes, initializer: initializer))
  }

  /// The five blocks with first values, and the places where they end, each behind its maximum.
  static func features(_ configuration: Configuration) -> (layers: Sequential, blockEnds: [Int]) {
    var layers: [any Layer] = []
    var ends: [Int] = []
    var channels = 3
    for (width, count) in zip([64, 128, 256, 512, 512], configuration.convolutions) {
      for _ in 0..<count {
        layers.append(
          Conv2d(channels, width, kernel: 3, padding: 1, initializer: .kaimingNormal(fan: .output)))
        if configuration.hasBatchNorm { layers.append(BatchNorm(width)) }
        layers.append(Activate(.relu))
        channels = width
      }
      layers.append(MaxPool2d(kernel: 2))
      ends.append(layers.count)
    }
    return (Sequential(layers), ends)
  }

  /// The five blocks, each with its maximum, and the classifier.
  public var stages: [Stage] {
    zip([0] + blockEnds, blockEnds).enumerated().map { index, range in
      Stage("block\(index + 1)", "features", features, range.0..<range.1)
    } + [
      Stage("classifier", [("", AdaptiveAvgPool2d(7)), ("", Flatten()), ("classifier", classifier)])
    ]
  }
}

extension VGG {
  /// Columns A, B, D and E of table 1, each with and without batch normalization. Keras has D and E.
  static let entries: [ZooEntry] = [
    ("vgg11", .vgg11), ("vgg13", .vgg13), ("vgg16", .vgg16), ("vgg19", .vgg19),
  ].flatMap { (name: String, configuration: Configuration) in
    let keras = Dialect("keras", nameMaps: ["keras_\(name)"], .caffe.rounded(.nearest)) {
      VGG(configuration, classes: $0)
    }
    return [
      ZooEntry(
        name, smallestSide: 32,
        [Dialect("tv_v1", .torchvision) { VGG(configuration, classes: $0) }]
          + (["vgg16", "vgg19"].contains(name) ? [keras] : [])),
      ZooEntry(
        name + "_bn", smallestSide: 32,
        [Dialect("tv_v1", .torchvision) { VGG(configuration.withBatchNorm, classes: $0) }]),
    ]
  }
}
