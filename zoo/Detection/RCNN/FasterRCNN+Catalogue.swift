import AviaryLayers
import AviaryVision
import AviaryWeights

extension FasterRCNN.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case body = "backbone"
    case isSecond = "v2"
    case hasMasks = "masks"
    case labels = "num_classes"
    case epsilon = "bn_eps"
    case shortSide = "min_size"
    case longSide = "max_size"
    case proposalsPerLevel = "rpn_pre_nms_top_n_test"
    case proposals = "rpn_post_nms_top_n_test"
    case proposalScore = "rpn_score_thresh"
    case proposalOverlap = "rpn_nms_thresh"
    case score = "box_score_thresh"
    case overlap = "box_nms_thresh"
    case detections = "box_detections_per_img"
  }

  /// Throws ``ConfigurationError`` for what makes no network. What is missing is that of ``resnet50``.
  public init(from decoder: any Decoder) throws {
    self = .resnet50
    var entries = try ConfigurationEntries(from: decoder)
    body = try entries.choice(CodingKeys.body.rawValue, Body.self, missing: body)
    isSecond = try entries.flag(CodingKeys.isSecond.rawValue, missing: isSecond)
    hasMasks = try entries.flag(CodingKeys.hasMasks.rawValue, missing: hasMasks)
    labels = try entries.integer(CodingKeys.labels.rawValue, 2...65_536, missing: labels)
    epsilon = Float(try entries.number(CodingKeys.epsilon.rawValue, 0...1, missing: Double(epsilon)))
    shortSide = try entries.integer(CodingKeys.shortSide.rawValue, 32...8192, missing: shortSide)
    longSide = try entries.integer(CodingKeys.longSide.rawValue, 32...8192, missing: longSide)
    let counts = 1...10_000
    proposalsPerLevel = try entries.integer(
      CodingKeys.proposalsPerLevel.rawValue, counts, missing: proposalsPerLevel)
    proposals = try entries.integer(CodingKeys.proposals.rawValue, counts, missing: proposals)
    proposalScore = try entries.number(CodingKeys.proposalScore.rawValue, 0...1, missing: proposalScore)
    proposalOverlap = try entries.number(CodingKeys.proposalOverlap.rawValue, 0...1, missing: proposalOverlap)
    score = try entries.number(CodingKeys.score.rawValue, 0...1, missing: score)
    overlap = try entries.number(CodingKeys.overlap.rawValue, 0...1, missing: overlap)
    detections = try entries.integer(CodingKeys.detections.rawValue, counts, missing: detections)
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(body.rawValue, forKey: .body)
    try container.encode(isSecond, forKey: .isSecond)
    try container.encode(hasMasks, forKey: .hasMasks)
    try container.encode(labels, forKey: .labels)
    try container.encode(epsilon, forKey: .epsilon)
    try container.encode(shortSide, forKey: .shortSide)
    try container.encode(longSide, forKey: .longSide)
    try container.encode(proposalsPerLevel, forKey: .proposalsPerLevel)
    try container.encode(proposals, forKey: .proposals)
    try container.encode(proposalScore, forKey: .proposalScore)
    try container.encode(proposalOverlap, forKey: .proposalOverlap)
    try container.encode(score, forKey: .score)
    try container.encode(overlap, forKey: .overlap)
    try container.encode(detections, forKey: .detections)
  }

  public func makeNetwork() -> any Network { FasterRCNN(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    if let labels = weights.extent(0, of: "roi_heads.box_predictor.cls_score.weight"), labels > 1 {
      result.labels = labels
    }
    return result
  }

  public static var doubtful: [(name: String, values: [JSONValue])] {
    [(CodingKeys.epsilon.rawValue, [.number(0), .number(1e-5)])]
  }
}

extension FasterRCNN: DetectionNetwork {
  public var labelCount: Int { configuration.labels }

  public func processor(
    _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> any DetectionProcessor {
    try ConfigurationEntries(settings).finish()
    return try TorchvisionPictures(preprocessing, configuration.scaling)
  }

  public func trimmed(_ outputs: NamedTensors, for inputs: NamedTensors) -> NamedTensors {
    TorchvisionPictures.trimmed(outputs, image: inputs["image"].shape)
  }
}

extension FasterRCNN {
  /// torchvision's published weights of the first version with ResNet were made with an ε of 0 in the frozen batch normalization, which no
  /// tensor shows; those that others make with its networks have 10⁻⁵.
  static let entries: [ZooEntry] = [
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
