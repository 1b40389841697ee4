import AviaryLayers
import AviaryVision
import AviaryWeights

extension YOLO.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case body, head
    case depth = "depth_multiple"
    case width = "width_multiple"
    case mostChannels = "max_channels"
    case classes = "nc"
    case isFused = "fused"
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    let body = try entries.choice(CodingKeys.body.rawValue, YOLO.Body.self, missing: .v8)
    self.init(
      body: body,
      head: try entries.choice(
        CodingKeys.head.rawValue, YOLO.Head.self, missing: body == .v5 ? .anchors : .distances),
      depth: try entries.number(CodingKeys.depth.rawValue, 0.01...4, missing: 0.33),
      width: try entries.number(CodingKeys.width.rawValue, 0.01...4, missing: 0.25),
      mostChannels: try entries.integer(CodingKeys.mostChannels.rawValue, 16...4096, missing: 1024),
      classes: try entries.integer(CodingKeys.classes.rawValue, 1...65_536, missing: 80),
      isFused: try entries.flag(CodingKeys.isFused.rawValue, missing: false))
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(body, forKey: .body)
    try container.encode(head, forKey: .head)
    try container.encode(depth, forKey: .depth)
    try container.encode(width, forKey: .width)
    try container.encode(mostChannels, forKey: .mostChannels)
    try container.encode(classes, forKey: .classes)
    try container.encode(isFused, forKey: .isFused)
  }

  public static var labelsSetting: String? { CodingKeys.classes.rawValue }

  public func makeNetwork() -> any Network { YOLO(self) }

  /// The classes, and whether the normalizations are fused: sizes are what the catalogue's networks differ in.
  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.isFused = weights.spec("model.0.conv.bias") != nil && weights.spec("model.0.bn.weight") == nil
    let number = body == .v5 ? 24 : 22
    switch head {
    case .anchors:
      if let channels = weights.extent(0, of: "model.\(number).m.0.weight"), channels % 3 == 0, channels > 15
      {
        result.classes = channels / 3 - 5
      }
    case .distances:
      result.classes = weights.extent(0, of: "model.\(number).cv3.0.2.weight") ?? classes
    }
    return result
  }
}

extension YOLO: SizedNetwork {
  public func check(_ inputs: NamedTensors) throws(SignatureError) {
    let shape = inputs["images"].shape
    guard shape[2...].contains(where: { $0 % Letterbox.step != 0 }) else { return }
    throw SignatureError(
      name: "images", given: shape.shapeText,
      expected: "multiples of \(Letterbox.step) as height and width")
  }
}

extension YOLO {
  static let entries = [
    entry("yolov5n", .v5n), entry("yolov5s", .v5s), entry("yolov5m", .v5m), entry("yolov5nu", .v5nu),
    entry("yolov8n", .v8n), entry("yolov8s", .v8s), entry("yolov8m", .v8m),
    ZooEntry("yolov8_scenes", .detection, [Dialect("aviary", Configuration.scenes, sceneBinding)]),
  ]

  private static func entry(_ name: String, _ configuration: Configuration) -> ZooEntry {
    let overlap = configuration.head == .anchors ? 0.45 : 0.7
    return ZooEntry(
      name, .detection,
      [
        Dialect(
          "ultralytics", configuration,
          TaskBinding(
            preprocessing: .init(height: 640, width: 640), labels: .set(.cocoClasses),
            settings: [
              Detector.thresholdSetting: .number(0.25), "iou_threshold": .number(overlap),
            ]))
      ])
  }

  /// The forms that ``SceneGenerator`` draws.
  private static let sceneBinding = TaskBinding(
    preprocessing: .init(height: 96, width: 96), labels: .names(SceneShape.allCases.map(\.rawValue)),
    settings: [Detector.thresholdSetting: .number(0.25), "iou_threshold": .number(0.7)])
}
