import AviaryLayers
import AviaryTensors

/// GoogLeNet (Szegedy et al. 2015, "Going Deeper with Convolutions", arXiv:1409.4842, table 1).
///
/// Nine Inception modules. Input N×3×224×224 in −1…1. As torchvision builds it, and with its names: batch normalization after every
/// convolution, 3×3 in place of the 5×5 convolutions, no local response normalization. torchvision's published weights come with
/// `transform_input`, which turns pictures normalised by ImageNet's statistics back into (x − 0.5) / 0.5; here the preprocessing makes
/// those values at once.
public final class GoogLeNet: AuxiliaryClassifiers, Container {
  /// The stem, a stage for each Inception module with the maximum behind it, and the classifier.
  public let stages: [Stage]
  /// The auxiliary classifier on inception4a; nil when it was removed.
  public private(set) var aux1: Auxiliary?
  /// The auxiliary classifier on inception4d; nil when it was removed.
  public private(set) var aux2: Auxiliary?

  private static let batchNorm = BatchNormStyle(epsilon: 1e-3, momentum: 0.1, variance: .unbiased)

  /// Rows of table 1: channels of the 1×1 branch, of the 3×3 branch's two, of the 5×5 branch's two, and of the branch with the maximum.
  private static let table: [(name: String, channels: [Int])] = [
    ("3a", [64, 96, 128, 16, 32, 32]), ("3b", [128, 128, 192, 32, 96, 64]),
    ("4a", [192, 96, 208, 16, 48, 64]), ("4b", [160, 112, 224, 24, 64, 64]),
    ("4c", [128, 128, 256, 24, 64, 64]), ("4d", [112, 144, 288, 32, 64, 64]),
    ("4e", [256, 160, 320, 32, 128, 128]), ("5a", [256, 160, 320, 32, 128, 128]),
    ("5b", [384, 192, 384, 48, 128, 128]),
  ]

  /// A network with first values and both auxiliary classifiers, whose 0.7 of dropout is the paper's (section 5).
  public init(classes: Int = 1000, dropout: Float = 0.2, auxiliaryDropout: Float = 0.7) {
    let pool = MaxPool2d(kernel: 3, stride: 2, usesCeiling: true)
    var stages = [
      Stage(
        "stem",
        [
          ("conv1", Self.convolution(3, 64, kernel: 7, stride: 2, padding: 3)), ("", pool),
          ("conv2", Self.convolution(64, 64, kernel: 1)),
          ("conv3", Self.convolution(64, 192, kernel: 3, padding: 1)), ("", pool),
        ])
    ]
    var channels = 192
    for row in Self.table {
      let name = "inception\(row.name)"
      var layers: Branches.Branch = [(name, Self.inception(channels, row.channels))]
      if row.name == "3b" { layers.append(("", pool)) }
      if row.name == "4e" { layers.append(("", MaxPool2d(kernel: 2, stride: 2, usesCeiling: true))) }
      stages.append(Stage(name, layers))
      channels = row.channels[0] + row.channels[2] + row.channels[4] + row.channels[5]
    }
    let fc = Linear(channels, classes, initializer: .truncatedNormal(standardDeviation: 0.01))
    stages.append(Stage("classifier", [("", GlobalAvgPool()), ("", Dropout(dropout)), ("fc", fc)]))
    self.stages = stages
    aux1 = Auxiliary(512, classes: classes, dropout: auxiliaryDropout)
    aux2 = Auxiliary(528, classes: classes, dropout: auxiliaryDropout)
  }

  /// The auxiliary losses count 0.3 (section 5).
  public var auxiliaryClassifiers: [AuxiliaryClassifier] {
    [("aux1", "inception4a", aux1), ("aux2", "inception4d", aux2)].compactMap { name, stage, head in
      head.map { AuxiliaryClassifier(name: name, stage: stage, classifier: $0, lossWeight: 0.3) }
    }
  }

  /// Takes ``aux1`` and ``aux2`` out of the model.
  public func removeAuxiliaryClassifiers() { (aux1, aux2) = (nil, nil) }

  /// The auxiliary classifiers there are, then the layers of all stages.
  public var namedChildren: [(name: String, module: any Module)] {
    auxiliaryClassifiers.map { ($0.name, $0.classifier) }
      + stages.flatMap(\.layers).map { ($0.name, $0.layer) }
  }

  fileprivate static func convolution(
    _ inputs: Int, _ outputs: Int, kernel: Extents, stride: Extents = 1, padding: Extents = 0
  ) -> BasicConvolution {
    BasicConvolution(
      inputs, outputs, kernel: kernel, stride: stride, padding: padding, batchNorm, deviation: 0.01)
  }

  /// An Inception module with dimension reductions (figure 2b).
  private static func inception(_ inputs: Int, _ channels: [Int]) -> Branches {
    Branches(
      [("branch1", convolution(inputs, channels[0], kernel: 1))],
      [
        (
          "branch2",
          Sequential(
            convolution(inputs, channels[1], kernel: 1),
            convolution(channels[1], channels[2], kernel: 3, padding: 1))
        )
      ],
      [
        (
          "branch3",
          Sequential(
            convolution(inputs, channels[3], kernel: 1),
            convolution(channels[3], channels[4], kernel: 3, padding: 1))
        )
      ],
      [
        (
          "branch4",
          Sequential(
            MaxPool2d(kernel: 3, stride: 1, padding: 1, usesCeiling: true),
            convolution(inputs, channels[5], kernel: 1))
        )
      ])
  }

  /// The mean over 4×4 pieces, a 1×1 convolution, two linear layers (section 5).
  public final class Auxiliary: Layer {
    /// The 1×1 convolution to 128 channels.
    package let conv: BasicConvolution
    /// From 128 channels at 4×4 places to 1024 features.
    public let fc1: Linear
    /// From those features to logits.
    public let fc2: Linear
    private let dropout: Dropout

    init(_ inputs: Int, classes: Int, dropout: Float) {
      conv = GoogLeNet.convolution(inputs, 128, kernel: 1)
      fc1 = Linear(2048, 1024, initializer: .truncatedNormal(standardDeviation: 0.01))
      fc2 = Linear(1024, classes, initializer: .truncatedNormal(standardDeviation: 0.01))
      self.dropout = Dropout(dropout)
    }

    /// N×C×H×W to logits N×classes.
    public func callAsFunction(_ input: Tensor) -> Tensor {
      let features = conv(input.adaptiveAveragePooled(to: [4, 4])).flattened(from: 1)
      return fc2(dropout(fc1(features).relu()))
    }
  }
}

extension GoogLeNet {
  static let entries = [
    ZooEntry("googlenet", smallestSide: 15, [Dialect("tv_v1", .tf) { GoogLeNet(classes: $0) }])
  ]
}
