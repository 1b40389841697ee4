import AviaryLayers
import AviaryWeights

extension FCOS.Configuration: NetworkConfiguration {
  private static var fields: [ConfigurationField<Self>] {
    [
      .labels(\.labels),
      .side("min_size", \.shortSide), .side("max_size", \.longSide),
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

  public func makeNetwork() -> any Network { FCOS(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.labels = weights.extent(0, of: "head.classification_head.cls_logits.weight") ?? labels
    return result
  }
}

extension FCOS: TorchvisionDetector {
  public var labelCount: Int { configuration.labels }

  public func processor(
    _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> any DetectionProcessor {
    try TorchvisionPictures(preprocessing, settings, configuration.scaling)
  }
}

extension FCOS {
  static let entries = [
    ZooEntry(
      "fcos_resnet50_fpn", .detection,
      [Dialect("tv_v1", Configuration.resnet50, TorchvisionPictures.binding)])
  ]
}
