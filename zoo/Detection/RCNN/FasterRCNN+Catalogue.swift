import AviaryLayers
import AviaryVision
import AviaryWeights

extension FasterRCNN.Configuration: NetworkConfiguration {
  private static var fields: [ConfigurationField<Self>] {
    [
      .choice("backbone", \.body), .flag("v2", \.isSecond), .flag("masks", \.hasMasks),
      .labels(\.labels, least: 2), .epsilon(\.epsilon),
      .integer("out_channels", 1...4096, \.channels),
      .integer("representation_size", 1...65_536, \.features),
      .side("min_size", \.shortSide), .side("max_size", \.longSide),
      .count("rpn_pre_nms_top_n_train", \.trainedProposalsPerLevel),
      .count("rpn_post_nms_top_n_train", \.trainedProposals),
      .count("rpn_pre_nms_top_n_test", \.proposalsPerLevel), .count("rpn_post_nms_top_n_test", \.proposals),
      .count("rpn_batch_size_per_image", \.sampledAnchors), .share("rpn_score_thresh", \.proposalScore),
      .share("rpn_nms_thresh", \.proposalOverlap), .share("box_score_thresh", \.score),
      .share("box_nms_thresh", \.overlap), .count("box_detections_per_img", \.detections),
      .count("box_batch_size_per_image", \.sampledRegions),
    ]
  }

  /// Throws ``ConfigurationError`` for what makes no network. What is missing is that of ``resnet50``.
  public init(from decoder: any Decoder) throws {
    self = try Self.fields.decoded(from: decoder, missing: .resnet50)
  }

  public func encode(to encoder: any Encoder) throws { try Self.fields.encode(self, to: encoder) }

  public static var labelsSetting: String? { ConfigurationField<Self>.labelsName }

  public func makeNetwork() -> any Network { FasterRCNN(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    if let labels = weights.extent(0, of: "roi_heads.box_predictor.cls_score.weight"), labels > 1 {
      result.labels = labels
    }
    return result
  }

  public static var doubtful: [(name: String, values: [JSONValue])] {
    [(ConfigurationField<Self>.epsilonName, [.number(0), .number(1e-5)])]
  }
}

extension FasterRCNN: TorchvisionDetector {
  public var labelCount: Int { configuration.labels }

  public func processor(
    _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> any DetectionProcessor {
    try TorchvisionPictures(preprocessing, settings, configuration.scaling)
  }
}

extension FasterRCNN {
  static let entries =
    published + [
      ZooEntry("fasterrcnn_scenes", .detection, [Dialect("aviary", Configuration.scenes, sceneBinding)])
    ]

  /// The forms that ``SceneGenerator`` draws, from 1 on.
  private static let sceneBinding = TaskBinding(
    preprocessing: .init(), labels: .names(["background"] + SceneShape.allCases.map(\.rawValue)))

  /// torchvision's published weights of the first version with ResNet were made with an ε of 0 in the frozen batch normalization, which no
  /// tensor shows; those that others make with its networks have 10⁻⁵.
  private static let published: [ZooEntry] = [
    ("fasterrcnn_resnet50_fpn", .resnet50, true), ("fasterrcnn_resnet50_fpn_v2", .resnet50Second, false),
    ("fasterrcnn_mobilenet_v3_large_fpn", .mobileNet, false),
    ("fasterrcnn_mobilenet_v3_large_320_fpn", .mobileNet320, false),
    ("maskrcnn_resnet50_fpn", .masks, true), ("maskrcnn_resnet50_fpn_v2", .masksSecond, false),
  ].map { (name: String, configuration: Configuration, hasZero: Bool) in
    func dialect(_ name: String, _ configuration: Configuration) -> Dialect {
      // Files of the first version may have the names from before 2022.
      let maps = configuration.isSecond ? [] : ["torchvision_rcnn"]
      return Dialect(name, nameMaps: maps, configuration, TorchvisionPictures.binding)
    }
    return ZooEntry(
      name, .detection,
      hasZero
        ? [dialect("tv_v1", configuration.with(epsilon: 0)), dialect("tv", configuration)]
        : [dialect("tv_v1", configuration)])
  }
}
