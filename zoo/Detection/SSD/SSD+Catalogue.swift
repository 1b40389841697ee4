import AviaryLayers
import AviaryWeights

extension SSD.Configuration: NetworkConfiguration {
  private static var fields: [ConfigurationField<Self>] {
    [
      .labels(\.labels, least: 2),
      .share("score_thresh", \.score), .count("topk_candidates", \.candidates),
      .share("nms_thresh", \.overlap), .count("detections_per_img", \.detections),
    ]
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self = try Self.fields.decoded(from: decoder, missing: Self())
  }

  public func encode(to encoder: any Encoder) throws { try Self.fields.encode(self, to: encoder) }

  public static var labelsSetting: String? { ConfigurationField<Self>.labelsName }

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

extension SSD: TorchvisionDetector {
  public var labelCount: Int { configuration.labels }

  public func processor(
    _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> any DetectionProcessor {
    try TorchvisionPictures(preprocessing, settings, Self.scaling)
  }
}

extension SSD {
  static let entries = [
    ZooEntry(
      "ssd300_vgg16", .detection, [Dialect("tv_v1", Configuration.vgg16, TorchvisionPictures.binding)])
  ]
}
