import AviaryLayers
import AviaryWeights

extension Gatys.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case depth, pooling
    case contentLayers = "content_layers"
    case contentWeights = "content_weights"
    case styleLayers = "style_layers"
    case styleWeights = "style_weights"
    case variationWeight = "tv_weight"
    case usesCeiling = "ceil_mode"
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    let depth = try entries.integer("depth", 16...19, missing: 19)
    guard let depth = Depth(rawValue: depth) else {
      throw ConfigurationError(entry: "depth", given: "\(depth)", expected: "16 or 19")
    }
    self.init(depth)
    usesCeiling = try entries.flag("ceil_mode", missing: false)
    pooling = try entries.choice("pooling", FeatureTrunk.Pooling.self, missing: .max)
    variationWeight = try entries.number("tv_weight", missing: 0)
    let places = Dictionary(uniqueKeysWithValues: trunk.layers.map { ($0.name, $0) })
    func layers(_ kind: String, _ missing: [WeightedLayer]) throws -> [WeightedLayer] {
      let layers = try entries.choices("\(kind)_layers", places, missing: missing.map(\.layer))
      let weights = try entries.numbers("\(kind)_weights", missing: [missing[0].weight])
      guard weights.count == 1 || weights.count == layers.count, Set(layers).count == layers.count else {
        throw ConfigurationError(
          entry: "\(kind)_weights", given: "\(weights.count) for \(layers.count) layers",
          expected: "one for each layer, which is named once, or one for all")
      }
      return layers.enumerated().map {
        WeightedLayer(layer: $1, weight: weights.count == 1 ? weights[0] : weights[$0])
      }
    }
    contentLayers = try layers("content", contentLayers)
    styleLayers = try layers("style", styleLayers)
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(depth.rawValue, forKey: .depth)
    try container.encode(usesCeiling, forKey: .usesCeiling)
    try container.encode(pooling.rawValue, forKey: .pooling)
    try container.encode(variationWeight, forKey: .variationWeight)
    try container.encode(contentLayers.map(\.layer.name), forKey: .contentLayers)
    try container.encode(Self.weights(contentLayers), forKey: .contentWeights)
    try container.encode(styleLayers.map(\.layer.name), forKey: .styleLayers)
    try container.encode(Self.weights(styleLayers), forKey: .styleWeights)
  }

  /// One where all are alike, so that other layers can be chosen without other weights.
  private static func weights(_ layers: [WeightedLayer]) -> [Double] {
    let weights = layers.map(\.weight)
    return Set(weights).count == 1 ? [weights[0]] : weights
  }

  public func makeNetwork() -> any Network { Gatys(self) }
  public func adopting(_ weights: WeightArchive) -> Self { self }

  public static var doubtful: [(name: String, values: [JSONValue])] {
    [
      ("ceil_mode", [.bool(false), .bool(true)]),
      ("pooling", FeatureTrunk.Pooling.allCases.map { .string($0.rawValue) }),
    ]
  }
}

extension Gatys {
  static let entries = [
    ZooEntry("gatys_vgg19", .stylization, dialects(.vgg19)),
    ZooEntry("gatys_vgg16", .stylization, dialects(.vgg16) + [hed()]),
  ]

  /// torchvision's and Keras' weights are for pictures of other channels and scales.
  private static func dialects(_ depth: Configuration.Depth) -> [Dialect] {
    [
      Dialect(
        "tv_v1", Configuration(depth),
        TaskBinding(
          preprocessing: .init(mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225])),
        leavesOut: isClassifier),
      Dialect(
        "keras", nameMaps: ["keras_vgg\(depth.rawValue)"], Configuration(depth),
        TaskBinding(
          preprocessing: .init(
            channels: .bgr, range: 0...255, mean: [103.939, 116.779, 123.68])),
        leavesOut: isClassifier),
    ]
  }

  /// The convolutions of an edge detector that was trained from VGG-16.
  private static func hed() -> Dialect {
    Dialect(
      "hed", nameMaps: ["keras_hed"], Configuration(.vgg16, usesCeiling: true),
      TaskBinding(preprocessing: HED.preprocessing),
      leavesOut: { name in ["dsn", "fuse"].contains { name.hasPrefix($0) } })
  }

  /// What stands behind the convolutions in files of VGG's.
  @Sendable private static func isClassifier(_ name: String) -> Bool { name.hasPrefix("classifier.") }
}
