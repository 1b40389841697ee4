import AviaryLayers
import AviaryVision
import AviaryWeights

extension FCOS.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case labels = "num_classes"
    case shortSide = "min_size"
    case longSide = "max_size"
    case score = "score_thresh"
    case candidates = "topk_candidates"
    case overlap = "nms_thresh"
    case detections = "detections_per_img"
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self.init()
    var entries = try ConfigurationEntries(from: decoder)
    labels = try entries.integer(CodingKeys.labels.rawValue, 1...65_536, missing: labels)
    shortSide = try entries.integer(CodingKeys.shortSide.rawValue, 32...8192, missing: shortSide)
    longSide = try entries.integer(CodingKeys.longSide.rawValue, 32...8192, missing: longSide)
    score = try entries.number(CodingKeys.score.rawValue, 0...1, missing: score)
    candidates = try entries.integer(CodingKeys.candidates.rawValue, 1...10_000, missing: candidates)
    overlap = try entries.number(CodingKeys.overlap.rawValue, 0...1, missing: overlap)
    detections = try entries.integer(CodingKeys.detections.rawValue, 1...10_000, missing: detections)
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(labels, forKey: .labels)
    try container.encode(shortSide, forKey: .shortSide)
    try container.encode(longSide, forKey: .longSide)
    try container.encode(score, forKey: .score)
    try container.encode(candidates, forKey: .candidates)
    try container.encode(overlap, forKey: .overlap)
    try container.encode(detections, forKey: .detections)
  }

  public func makeNetwork() -> any Network { FCOS(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.labels = weights.extent(0, of: "head.classification_head.cls_logits.weight") ?? labels
    return result
  }
}

extension FCOS: DetectionNetwork {
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

extension FCOS {
  static let entries = [
    ZooEntry(
      "fcos_resnet50_fpn", .detection,
      [Dialect("tv_v1", Configuration.resnet50, TorchvisionPictures.binding)])
  ]
}
