import AviaryLayers
import AviaryTensors
import AviaryVision

/// FCOS (Tian, Shen, Chen & He 2019, "FCOS: Fully Convolutional One-Stage Object Detection", arXiv:1904.01355, figure 2): each place of five
/// levels says what is there, how far the edges of its box are, and how near the place is to the box's centre. No anchors.
///
/// Distances are in strides of the level. Pictures are 0…1 at their own size: their normalization and resizing belong to the network. Names
/// as torchvision's. As a graph it has room for the most objects that there can be; ``trimmed(_:for:)`` takes off what is empty.
public final class FCOS: Network {
  /// A residual network and its pyramid: to levels N×256×h×w.
  package let backbone: PyramidBackbone
  /// What stands on every level.
  package let head: Head
  let configuration: Configuration

  /// The two towers.
  package final class Head: Module {
    /// What it is.
    package let classificationHead: ClassificationTower
    /// Where it is, and how near to its centre.
    package let regressionHead: RegressionTower

    init(labels: Int) {
      classificationHead = ClassificationTower(.flat, anchors: 1, labels: labels)
      regressionHead = RegressionTower(.flat, anchors: 1)
    }
  }

  /// The sizes of a network, and what is decided without weights.
  public struct Configuration: Sendable, Hashable {
    /// Numbers that a label may have: COCO's, of which some, 0 among them, are not used.
    public var labels = 91
    /// Pixels of the shorter side that pictures are resized to.
    public var shortSide = 800
    /// The most pixels of the longer side.
    public var longSide = 1333
    /// The score that a detection exceeds.
    public var score = 0.2
    /// Candidates of each level.
    public var candidates = 1000
    /// Detections of one label that overlap more are one.
    public var overlap = 0.6
    /// Detections of a picture.
    public var detections = 100

    /// ResNet-50.
    public static let resnet50 = Configuration()

    var scaling: PictureScaling { PictureScaling(rule: .sides(short: shortSide, long: longSide)) }

    var rules: DenseChoice.Rules {
      .init(score: Float(score), best: candidates, suppression: overlap, count: detections)
    }
  }

  /// A square as large as the stride around each place.
  static let places = Anchors(sizes: [[8], [16], [32], [64], [128]], ratios: [1])

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration) {
    self.configuration = configuration
    backbone = PyramidBackbone(
      ResNet(.resnet50.withFrozenBatchNorm, classes: nil), levels: 3, top: .convolutions(fromBody: false))
    head = Head(labels: configuration.labels)
  }

  /// `image` to `boxes`, `scores` and `labels` of at most D objects, 0 where there are fewer.
  public var signature: Signature {
    TorchvisionPictures.signature(most: configuration.detections, labels: configuration.labels)
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let picture = configuration.scaling(inputs["image"])
    let answers = self.answers(picture)
    let choice = DenseChoice(
      rules: configuration.rules, coding: .distances, anchors: Self.places, picture: picture.tensor.shape,
      frame: picture.frame)
    let found = choice.apply(answers.flatMap { [$0.logits, $0.distances, $0.centreness] })
    return ["boxes": picture.unscaled(found[0]), "scores": found[1], "labels": found[2]]
  }

  /// Logits N×labels×h×w, distances N×4×h×w in strides, and logits of the centre-ness N×1×h×w of each level.
  func answers(_ picture: ScaledPicture) -> [(logits: Tensor, distances: Tensor, centreness: Tensor)] {
    backbone(picture.tensor).map { level in
      let (distances, centreness) = head.regressionHead(level)
      return (head.classificationHead(level), distances.relu(), centreness!)
    }
  }
}
