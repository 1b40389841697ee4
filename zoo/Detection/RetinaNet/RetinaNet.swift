import AviaryLayers
import AviaryTensors
import AviaryVision

/// RetinaNet (Lin, Goyal, Girshick, He & Dollár 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002, figure 3): at each place of
/// five levels, for each of nine anchors, what it is and where exactly, in one look.
///
/// Pictures are 0…1 at their own size: their normalization and resizing belong to the network. Names as torchvision's. As a graph it has room
/// for the most objects that there can be; ``trimmed(_:for:)`` takes off what is empty.
public final class RetinaNet: Network {
  /// A residual network and its pyramid: to levels N×256×h×w.
  package let backbone: PyramidBackbone
  /// What stands on every level.
  package let head: Head
  let configuration: Configuration

  /// The two towers.
  package final class Head: Module {
    /// What it is.
    package let classificationHead: ClassificationTower
    /// Where it is.
    package let regressionHead: RegressionTower

    init(_ form: TowerForm, anchors: Int, labels: Int) {
      classificationHead = ClassificationTower(form, anchors: anchors, labels: labels)
      regressionHead = RegressionTower(form, anchors: anchors)
    }
  }

  /// The sizes of a network, and what is decided without weights.
  public struct Configuration: Sendable, Hashable {
    /// torchvision's second version: group normalization in the towers, P6 made of the body's last map, batch normalization that is trained.
    public var isSecond = false
    /// Numbers that a label may have: COCO's, of which some, 0 among them, are not used.
    public var labels = 91
    /// ε of the frozen batch normalization.
    public var epsilon: Float = 1e-5
    /// Pixels of the shorter side that pictures are resized to.
    public var shortSide = 800
    /// The most pixels of the longer side.
    public var longSide = 1333
    /// The score that a detection exceeds.
    public var score = 0.05
    /// Candidates of each level.
    public var candidates = 1000
    /// Detections of one label that overlap more are one.
    public var overlap = 0.5
    /// Detections of a picture.
    public var detections = 300

    /// ResNet-50.
    public static let resnet50 = Configuration()
    /// ResNet-50 in the second version.
    public static let resnet50Second = Configuration(isSecond: true)

    /// The same with another ε of the frozen batch normalization.
    public func with(epsilon: Float) -> Configuration {
      var copy = self
      copy.epsilon = epsilon
      return copy
    }

    var scaling: PictureScaling { PictureScaling(rule: .sides(short: shortSide, long: longSide)) }

    var rules: DenseChoice.Rules {
      .init(score: Float(score), best: candidates, suppression: overlap, count: detections)
    }
  }

  /// Three sizes on each level, a third of an octave apart (section 4).
  static let anchors = Anchors(
    sizes: [[32, 40, 50], [64, 80, 101], [128, 161, 203], [256, 322, 406], [512, 645, 812]],
    ratios: [0.5, 1, 2])

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration) {
    self.configuration = configuration
    var body = ResNet.Configuration.resnet50
    if !configuration.isSecond { body.frozenBatchNorm = configuration.epsilon }
    backbone = PyramidBackbone(
      ResNet(body, classes: nil), levels: 3, top: .convolutions(fromBody: configuration.isSecond))
    head = Head(
      .nested(hasNorm: configuration.isSecond), anchors: Self.anchors.countPerPlace,
      labels: configuration.labels)
  }

  /// `image` to `boxes`, `scores` and `labels` of at most D objects, 0 where there are fewer.
  public var signature: Signature {
    TorchvisionPictures.signature(most: configuration.detections, labels: configuration.labels)
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let picture = configuration.scaling(inputs["image"])
    let answers = self.answers(picture)
    let choice = DenseChoice(
      rules: configuration.rules, coding: .differences, anchors: Self.anchors, picture: picture.tensor.shape,
      frame: picture.frame)
    let found = choice.apply(answers.flatMap { [$0.logits, $0.deltas] })
    return ["boxes": picture.unscaled(found[0]), "scores": found[1], "labels": found[2]]
  }

  /// Logits N×A·labels×h×w and differences N×4A×h×w of each level.
  func answers(_ picture: ScaledPicture) -> [(logits: Tensor, deltas: Tensor)] {
    backbone(picture.tensor).map { (head.classificationHead($0), head.regressionHead($0).deltas) }
  }
}
