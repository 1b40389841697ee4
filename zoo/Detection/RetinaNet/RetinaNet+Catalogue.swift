import AviaryLayers
import AviaryWeights

extension RetinaNet.Configuration: NetworkConfiguration {
  private static var fields: [ConfigurationField<Self>] {
    [
      .flag("v2", \.isSecond), .labels(\.labels), .epsilon(\.epsilon),
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

  public func makeNetwork() -> any Network { RetinaNet(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    let anchors = RetinaNet.anchors.countPerPlace
    if let logits = weights.extent(0, of: "head.classification_head.cls_logits.weight"), logits >= anchors {
      result.labels = logits / anchors
    }
    return result
  }

  public static var doubtful: [(name: String, values: [JSONValue])] {
    [(ConfigurationField<Self>.epsilonName, [.number(0), .number(1e-5)])]
  }
}

extension RetinaNet: TorchvisionDetector {
  public var labelCount: Int { configuration.labels }

  public func processor(
    _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> any DetectionProcessor {
    try TorchvisionPictures(preprocessing, settings, configuration.scaling)
  }
}

extension RetinaNet {
  /// The published weights of the first version were made with an ε of 0 in the frozen batch normalization, which no tensor shows.
  static let entries = [
    ZooEntry(
      "retinanet_resnet50_fpn", .detection,
      [("tv_v1", Configuration.resnet50.with(epsilon: 0)), ("tv", .resnet50)].map {
        Dialect($0.0, nameMaps: ["torchvision_retinanet"], $0.1, TorchvisionPictures.binding)
      }),
    ZooEntry(
      "retinanet_resnet50_fpn_v2", .detection,
      [Dialect("tv_v1", Configuration.resnet50Second, TorchvisionPictures.binding)]),
  ]
}
