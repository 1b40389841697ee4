import AviaryLayers
import AviaryTensors
import AviaryVision

/// Faster R-CNN (Ren, He, Girshick & Sun 2015, "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks",
/// arXiv:1506.01497) on a feature pyramid (Lin et al. 2017, arXiv:1612.03144), and with a third branch Mask R-CNN (He, Gkioxari, Dollár &
/// Girshick 2017, "Mask R-CNN", arXiv:1703.06870).
///
/// A first network proposes regions, a second looks at each of them. Pictures are 0…1 at their own size: their normalization and resizing
/// belong to the network. Names as torchvision's. As a graph it has room for the most proposals and detections that there can be;
/// ``trimmed(_:for:)`` takes off what is empty.
public final class FasterRCNN: Network {
  /// A body and its pyramid: to levels N×C×h×w.
  package let backbone: PyramidBackbone
  /// Where objects may be.
  package let rpn: RegionProposalNetwork
  /// What they are.
  package let roiHeads: RegionHeads
  let configuration: Configuration

  /// The sizes of a network, and what is decided without weights.
  public struct Configuration: Sendable, Hashable {
    /// The network in front of the pyramid.
    public enum Body: String, Sendable, Hashable, CaseIterable {
      /// ResNet-50, of which four maps are taken.
      case resnet50
      /// MobileNetV3's large network, of which two maps are taken, both of stride 32.
      case mobileNetV3 = "mobilenet_v3_large"
      /// A small residual network for small pictures, of which all three maps are taken; its batch normalization is trained.
      case resnet8
    }

    /// The network in front of the pyramid; its batch normalization is frozen but in the second version.
    public var body: Body
    /// torchvision's second version (Li, Xie, Chen, Dollár, He & Girshick 2021, arXiv:2111.11429, section 3): batch normalization
    /// everywhere, two convolutions that propose, four before the linear maps.
    public var isSecond = false
    /// Whether each object gets a mask.
    public var hasMasks = false
    /// Numbers that a label may have: the background, and COCO's, of which some are not used.
    public var labels = 91
    /// ε of the frozen batch normalization.
    public var epsilon: Float = 1e-5
    /// Channels of the pyramid's levels.
    public var channels = 256
    /// Features between the linear maps that look at a region.
    public var features = 1024
    /// Pixels of the shorter side that pictures are resized to.
    public var shortSide = 800
    /// The most pixels of the longer side.
    public var longSide = 1333
    /// Proposals of each level before they are compared, while training.
    public var trainedProposalsPerLevel = 2000
    /// Proposals of a picture while training.
    public var trainedProposals = 2000
    /// Anchors of a picture that are learned from, half of them objects' at most.
    public var sampledAnchors = 256
    /// Regions of a picture that are learned from, a quarter of them objects' at most.
    public var sampledRegions = 512
    /// Proposals of each level before they are compared.
    public var proposalsPerLevel = 1000
    /// Proposals of a picture.
    public var proposals = 1000
    /// The score that a proposal reaches.
    public var proposalScore = 0.0
    /// Proposals that overlap more are one.
    public var proposalOverlap = 0.7
    /// The score that a detection exceeds.
    public var score = 0.05
    /// Detections of one label that overlap more are one.
    public var overlap = 0.5
    /// Detections of a picture.
    public var detections = 100

    /// ResNet-50.
    public static let resnet50 = Configuration(body: .resnet50)
    /// ResNet-50 in the second version.
    public static let resnet50Second = Configuration(body: .resnet50, isSecond: true)
    /// MobileNetV3 for large pictures.
    public static let mobileNet = Configuration(body: .mobileNetV3, proposalScore: 0.05)
    /// MobileNetV3 for small ones.
    public static let mobileNet320 = Configuration(
      body: .mobileNetV3, shortSide: 320, longSide: 640, proposalsPerLevel: 150, proposals: 150,
      proposalScore: 0.05)
    /// ResNet-50 with masks.
    public static let masks = Configuration(body: .resnet50, hasMasks: true)
    /// ResNet-50 with masks in the second version.
    public static let masksSecond = Configuration(body: .resnet50, isSecond: true, hasMasks: true)

    /// For drawn scenes of six shapes and 96×96 pixels.
    public static let scenes = Configuration(
      body: .resnet8, labels: 7, channels: 48, features: 128, shortSide: 96, longSide: 160,
      trainedProposalsPerLevel: 200, trainedProposals: 100, sampledAnchors: 64, sampledRegions: 48,
      proposalsPerLevel: 100, proposals: 50)

    /// The same with another ε of the frozen batch normalization.
    public func with(epsilon: Float) -> Configuration {
      var copy = self
      copy.epsilon = epsilon
      return copy
    }

    var scaling: PictureScaling { PictureScaling(rule: .sides(short: shortSide, long: longSide)) }

    /// ResNet's levels have one size of anchors each, MobileNet's three levels all sizes; small pictures' objects begin at 16 pixels.
    var anchors: Anchors {
      let sizes: [Float] = [32, 64, 128, 256, 512]
      let perLevel: [[Float]] =
        switch body {
        case .resnet50: sizes.map { [$0] }
        case .mobileNetV3: Array(repeating: sizes, count: 3)
        case .resnet8: [[16, 24], [32, 40], [48, 56], [64, 80]]
        }
      return Anchors(sizes: perLevel, ratios: [0.5, 1, 2])
    }
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration) {
    self.configuration = configuration
    let (isSecond, channels) = (configuration.isSecond, configuration.channels)
    switch configuration.body {
    case .resnet50:
      var body = ResNet.Configuration.resnet50
      if !isSecond { body.frozenBatchNorm = configuration.epsilon }
      backbone = PyramidBackbone(
        ResNet(body, classes: nil), levels: 4, width: channels, hasNorm: isSecond, top: .everySecond)
    case .mobileNetV3:
      backbone = PyramidBackbone(
        MobileNetBody(), levels: 2, width: channels, hasNorm: isSecond, top: .everySecond)
    case .resnet8:
      backbone = PyramidBackbone(
        SmallBody(), levels: 3, width: channels, hasNorm: isSecond, top: .everySecond)
    }
    rpn = RegionProposalNetwork(
      .init(
        anchors: configuration.anchors, best: configuration.proposalsPerLevel,
        leastScore: Float(configuration.proposalScore), suppression: configuration.proposalOverlap,
        count: configuration.proposals),
      channels: channels, depth: isSecond ? 2 : 1)
    roiHeads = RegionHeads(
      .init(
        score: Float(configuration.score), suppression: configuration.overlap,
        count: configuration.detections),
      channels: channels, features: configuration.features, labels: configuration.labels,
      isSecond: isSecond, hasMasks: configuration.hasMasks)
  }

  /// `image` to `boxes`, `scores` and `labels` of at most D objects, 0 where there are fewer, and with a mask branch `masks`: how likely each
  /// of 28×28 parts of a box is the object's.
  public var signature: Signature {
    let masks = TensorPort("masks", ["N", .fixed(configuration.detections), 28, 28])
    return TorchvisionPictures.signature(
      most: configuration.detections, labels: configuration.labels,
      others: configuration.hasMasks ? [masks] : [])
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let picture = configuration.scaling(inputs["image"])
    let levels = backbone(picture.tensor)
    let proposals = rpn.proposals(rpn(levels), of: picture)  // N×P×4
    // The coarsest level only proposes.
    let pooled = Array(levels.dropLast())
    let pooling = RegionPooling(pooled, frame: picture.frame)
    let found = roiHeads.detections(
      roiHeads(pooled, boxes: proposals, pooling), proposals: proposals, in: picture.frame)
    var result: NamedTensors = [
      "boxes": picture.unscaled(found.boxes), "scores": found.scores, "labels": found.labels,
    ]
    if let masks = roiHeads.masks(pooled, boxes: found.boxes, pooling) {
      result["masks"] = masks.ofLabels(found.labels).sigmoid()
    }
    return result
  }
}

extension Tensor {
  /// Of each region's maps, that of its label: R×labels×h×w and labels N×D to N×D×h×w.
  fileprivate func ofLabels(_ labels: Tensor) -> Tensor {
    let (height, width) = (shape[2], shape[3])
    let positions = labels.reshaped([shape[0], 1, 1]).expanded(to: [shape[0], 1, height * width])
    return reshaped([shape[0], shape[1], height * width]).gathered(1, positions)
      .reshaped(labels.shape + [height, width])
  }
}
