import AviaryLayers
import AviaryVision
import AviaryWeights

extension FCN.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case head
    case classes = "num_classes"
    case hasAuxiliary = "aux_loss"
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self = .fcn
    var entries = try ConfigurationEntries(from: decoder)
    head = try entries.choice(CodingKeys.head.rawValue, Head.self, missing: head)
    classes = try entries.integer(CodingKeys.classes.rawValue, missing: classes)
    hasAuxiliary = try entries.flag(CodingKeys.hasAuxiliary.rawValue, missing: hasAuxiliary)
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(head.rawValue, forKey: .head)
    try container.encode(classes, forKey: .classes)
    try container.encode(hasAuxiliary, forKey: .hasAuxiliary)
  }

  public static var labelsSetting: String? { CodingKeys.classes.rawValue }

  public func makeNetwork() -> any Network { FCN(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.classes = weights.extent(0, of: "classifier.4.weight") ?? classes
    result.hasAuxiliary = weights.spec("aux_classifier.4.weight") != nil
    return result
  }
}

extension FCN {
  static let entries = [("fcn_resnet50", Configuration.fcn), ("deeplabv3_resnet50", .deepLab)].map {
    ZooEntry($0.0, .segmentation, [Dialect("tv_v1", $0.1, binding)])
  }

  /// PASCAL VOC's classes; the shorter side 520, no crop.
  private static let binding = TaskBinding(
    preprocessing: .init(
      mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225], resizeShorterSide: 520),
    labels: .names([
      "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
      "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
      "tvmonitor",
    ]))
}
