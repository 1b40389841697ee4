import AviaryLayers
import AviaryTensors
import AviaryVision

/// Inception v3 (Szegedy, Vanhoucke, Ioffe, Shlens & Wojna 2016, "Rethinking the Inception Architecture for Computer Vision",
/// arXiv:1512.00567, table 1 and figures 5 to 7 and 10).
///
/// Input N×3×299×299 in −1…1. Names as torchvision's, whose published weights come with `transform_input` (see ``GoogLeNet``). Keras'
/// network has no scales in its normalization, no auxiliary classifier, and its means leave the padding out. The network that Fréchet
/// distances are measured with takes pictures of any size with values of 0…1.
public final class InceptionV3: AuxiliaryClassifiers, Container {
  /// The stem, a stage for each of the eleven modules, and the classifier.
  public let stages: [Stage]
  /// `AuxLogits` in checkpoints, on Mixed_6e; nil when it was removed, and in Keras' form.
  public private(set) var auxiliary: Auxiliary?

  /// What differs between networks whose convolutions are the same.
  public enum Form: Sendable, Hashable {
    /// With scales in its normalization, an auxiliary classifier, and means that count the padding.
    case torchvision
    /// Without any of these.
    case keras
    /// The network of 2015 with 1008 outputs that generators are judged by (Heusel et al. 2017, arXiv:1706.08500, section 4): scales, no
    /// auxiliary classifier, means that leave the padding out, and a maximum in place of the last one; its pictures are resized inside.
    case fid

    var batchNorm: BatchNormStyle {
      switch self {
      case .torchvision, .fid: BatchNormStyle(epsilon: 1e-3, momentum: 0.1, variance: .unbiased)
      case .keras: .keras().withoutScale
      }
    }
  }

  /// A network with first values, in torchvision's form with the auxiliary classifier.
  public init(_ form: Form = .torchvision, classes: Int = 1000, dropout: Float = 0.5) {
    let make = InceptionModules(form)
    let pool = MaxPool2d(kernel: 3, stride: 2)
    var stages = [
      Stage(
        "stem",
        (form == .fid ? [("", ResizedInput(side: 299))] : []) + [
          ("Conv2d_1a_3x3", make.convolution(3, 32, kernel: 3, stride: 2)),
          ("Conv2d_2a_3x3", make.convolution(32, 32, kernel: 3)),
          ("Conv2d_2b_3x3", make.convolution(32, 64, kernel: 3, padding: 1)), ("", pool),
          ("Conv2d_3b_1x1", make.convolution(64, 80, kernel: 1)),
          ("Conv2d_4a_3x3", make.convolution(80, 192, kernel: 3)), ("", pool),
        ])
    ]
    let modules: [(name: String, layer: any Layer)] = [
      ("Mixed_5b", make.fiveByFive(192, pool: 32)), ("Mixed_5c", make.fiveByFive(256, pool: 64)),
      ("Mixed_5d", make.fiveByFive(288, pool: 64)), ("Mixed_6a", make.firstReduction(288)),
      ("Mixed_6b", make.sevenBySeven(768, width: 128)), ("Mixed_6c", make.sevenBySeven(768, width: 160)),
      ("Mixed_6d", make.sevenBySeven(768, width: 160)), ("Mixed_6e", make.sevenBySeven(768, width: 192)),
      ("Mixed_7a", make.secondReduction(768)), ("Mixed_7b", make.expanded(1280)),
      ("Mixed_7c", make.expanded(2048, isLast: true)),
    ]
    stages += modules.map { Stage($0.name, [$0]) }
    let fc = Linear(2048, classes, initializer: .truncatedNormal(standardDeviation: 0.1))
    stages.append(Stage("classifier", [("", GlobalAvgPool()), ("", Dropout(dropout)), ("fc", fc)]))
    self.stages = stages
    auxiliary = form == .torchvision ? Auxiliary(768, classes: classes, make) : nil
  }

  /// The auxiliary loss counts 0.4, as in the authors' TensorFlow implementation.
  public var auxiliaryClassifiers: [AuxiliaryClassifier] {
    auxiliary.map {
      [AuxiliaryClassifier(name: "AuxLogits", stage: "Mixed_6e", classifier: $0, lossWeight: 0.4)]
    } ?? []
  }

  /// Takes ``auxiliary`` out of the model.
  public func removeAuxiliaryClassifiers() { auxiliary = nil }

  /// The auxiliary classifier if there is one, then the layers of all stages.
  public var namedChildren: [(name: String, module: any Module)] {
    auxiliaryClassifiers.map { ($0.name, $0.classifier) }
      + stages.flatMap(\.layers).map { ($0.name, $0.layer) }
  }

  /// The mean of 5×5 windows, two convolutions, a linear layer (figure 8).
  public final class Auxiliary: Layer {
    /// The 1×1 convolution to 128 channels.
    package let conv0: BasicConvolution
    /// The 5×5 convolution to 768 channels.
    package let conv1: BasicConvolution
    /// From the mean over all places to logits.
    public let fc: Linear

    init(_ inputs: Int, classes: Int, _ make: InceptionModules) {
      conv0 = make.convolution(inputs, 128, kernel: 1)
      conv1 = make.convolution(128, 768, kernel: 5, deviation: 0.01)
      fc = Linear(768, classes, initializer: .truncatedNormal(standardDeviation: 0.001))
    }

    /// N×C×H×W to logits N×classes.
    public func callAsFunction(_ input: Tensor) -> Tensor {
      let pooled = input.averagePooled(PoolingGeometry(kernel: [5, 5], stride: [3, 3]))
      return fc(conv1(conv0(pooled)).adaptiveAveragePooled(to: [1, 1]).flattened(from: 1))
    }
  }
}

extension InceptionV3 {
  static let entries = [
    ZooEntry(
      "inception_v3", smallestSide: 75,
      [
        Dialect("tv_v1", .tf.sized(resize: .shortSide(342), crop: 299)) { InceptionV3(classes: $0) },
        Dialect(
          "keras", nameMaps: ["keras_inception_v3"],
          .tf.sized(resize: .shortSide(342), crop: 299).rounded(.nearest)
        ) { InceptionV3(.keras, classes: $0) },
      ]),
    ZooEntry(
      "inception_v3_fid", smallestSide: 1,
      [Dialect("fid", Preprocessing()) { InceptionV3(.fid, classes: $0) }]),
  ]
}

/// Pictures of 0…1 at any size as squares of −1…1, between whose pixels values are found in straight lines, without smoothing.
private final class ResizedInput: Layer {
  private let side: Int

  init(side: Int) { self.side = side }

  /// N×C×H×W to N×C×side×side.
  func callAsFunction(_ input: Tensor) -> Tensor {
    input.interpolated(to: [side, side], .linear(alignsCorners: false)) * 2 - 1
  }
}
