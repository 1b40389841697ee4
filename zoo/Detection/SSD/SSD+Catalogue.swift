import AviaryLayers
import AviaryVision
import AviaryWeights

extension SSD.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case labels = "num_classes"
    case score = "score_thresh"
    case candidates = "topk_candidates"
    case overlap = "nms_thresh"
    case detections = "detections_per_img"
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self.init()
    var entries = try ConfigurationEntries(from: decoder)
    labels = try entries.integer(CodingKeys.labels.rawValue, 2...65_536, missing: labels)
    score = try entries.number(CodingKeys.score.rawValue, 0...1, missing: score)
    candidates = try entries.integer(CodingKeys.candidates.rawValue, 1...10_000, missing: candidates)
    overlap = try entries.number(CodingKeys.overlap.rawValue, 0...1, missing: overlap)
    detections = try entries.integer(CodingKeys.detections.rawValue, 1...10_000, missing: detections)
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(labels, forKey: .labels)
    try container.encode(score, forKey: .score)
    try container.encode(candidates, forKey: .candidates)
    try container.encode(overlap, forKey: .overlap)
    try container.encode(detections, forKey: .detections)
  }

  public func makeNetwork() -> any Network { SSD(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    let boxes = DefaultBoxes.countsPerPlace[0]
    if let logits = weights.extent(0, of: "head.classification_head.module_list.0.weight"),
      logits >= 2 * boxes
    {
      result.labels = logits / boxes
    }
    return result
  }
}

extension SSD: DetectionNetwork {
  public var labelCount: Int { configuration.labels }

  public func processor(
    _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> any DetectionProcessor {
    try ConfigurationEntries(settings).finish()
    return try TorchvisionPictures(preprocessing, Self.scaling)
  }

  public func trimmed(_ outputs: NamedTensors, for inputs: NamedTensors) -> NamedTensors {
    TorchvisionPictures.trimmed(outputs, image: inputs["image"].shape)
  }
}

extension SSD {
  static let entries = [
    ZooEntry(
      "ssd300_vgg16", .detection, [Dialect("tv_v1", Configuration.vgg16, TorchvisionPictures.binding)])
  ]
}
