import AviaryLayers
import AviaryWeights

extension DETR.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case width = "hidden_dim"
    case heads = "nheads"
    case hidden = "dim_feedforward"
    case encoderLayers = "enc_layers"
    case decoderLayers = "dec_layers"
    case queries = "num_queries"
    case labels = "num_classes"
  }

  /// Throws ``ConfigurationError`` for what makes no network. The body is that of ``resnet50``.
  public init(from decoder: any Decoder) throws {
    self = .resnet50
    var entries = try ConfigurationEntries(from: decoder)
    func integer(_ key: CodingKeys, _ range: ClosedRange<Int>, _ missing: Int) throws -> Int {
      try entries.integer(key.rawValue, range, missing: missing)
    }
    transformer.width = try integer(.width, 4...8192, transformer.width)
    transformer.heads = try integer(.heads, 1...1024, transformer.heads)
    transformer.hidden = try integer(.hidden, 1...65_536, transformer.hidden)
    encoderLayers = try integer(.encoderLayers, 1...Self.mostLayers, encoderLayers)
    decoderLayers = try integer(.decoderLayers, 1...Self.mostLayers, decoderLayers)
    queries = try integer(.queries, 1...8192, queries)
    labels = try integer(.labels, 1...65_536, labels)
    try entries.finish()
    guard transformer.width % 4 == 0 else {
      throw ConfigurationError(
        entry: CodingKeys.width.rawValue, given: "\(transformer.width)",
        expected: "a multiple of 4, for sine and cosine of two axes")
    }
    guard transformer.width % transformer.heads == 0 else {
      throw ConfigurationError(
        entry: CodingKeys.heads.rawValue, given: "\(transformer.heads)",
        expected: "a divisor of \(transformer.width)")
    }
  }

  private static let mostLayers = 64

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(transformer.width, forKey: .width)
    try container.encode(transformer.heads, forKey: .heads)
    try container.encode(transformer.hidden, forKey: .hidden)
    try container.encode(encoderLayers, forKey: .encoderLayers)
    try container.encode(decoderLayers, forKey: .decoderLayers)
    try container.encode(queries, forKey: .queries)
    try container.encode(labels, forKey: .labels)
  }

  public static var labelsSetting: String? { CodingKeys.labels.rawValue }

  public func makeNetwork() -> any Network { DETR(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    func layers(_ stack: String, _ known: Int) -> Int {
      let found = (0..<Self.mostLayers).prefix {
        weights.spec("transformer.\(stack).layers.\($0).linear1.weight") != nil
      }.count
      return found == 0 ? known : found
    }
    // A width that the heads do not divide makes no network: such tensors fit nothing.
    if let width = weights.extent(0, of: "input_proj.weight"), width % transformer.heads == 0, width % 4 == 0
    {
      result.transformer.width = width
    }
    result.transformer.hidden =
      weights.extent(0, of: "transformer.encoder.layers.0.linear1.weight") ?? transformer.hidden
    result.encoderLayers = layers("encoder", encoderLayers)
    result.decoderLayers = layers("decoder", decoderLayers)
    result.queries = weights.extent(0, of: "query_embed.weight") ?? queries
    result.labels = weights.extent(0, of: "class_embed.weight").map { max($0 - 1, 1) } ?? labels
    return result
  }

  public static var doubtful: [(name: String, values: [JSONValue])] {
    [(CodingKeys.heads.rawValue, [1, 2, 4, 8, 16, 32].map { .integer($0) })]
  }
}

extension DETR {
  static let entries = [
    ZooEntry(
      "detr_resnet50", .detection,
      [
        Dialect(
          "facebookresearch", nameMaps: ["transformers_detr", "transformers5_detr"], Configuration.resnet50,
          TaskBinding(
            preprocessing: .init(
              mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225], resizeShorterSide: 800,
              longestSide: 1333), labels: .set(.coco),
            // What facebookresearch's demonstration shows.
            settings: [Detector.thresholdSetting: .number(0.7)]))
      ])
  ]
}
