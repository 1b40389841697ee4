import AviaryLayers
import AviaryWeights

extension CharRNN.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey { case vocabulary, embedding, width, layers }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self.init()
    var entries = try ConfigurationEntries(from: decoder)
    vocabulary = try entries.integer("vocabulary", missing: vocabulary)
    embedding = try entries.integer("embedding", missing: embedding)
    width = try entries.integer("width", missing: width)
    layers = try entries.integer("layers", 1...Self.mostLayers, missing: layers)
    try entries.finish()
  }

  private static let mostLayers = 64

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(vocabulary, forKey: .vocabulary)
    try container.encode(embedding, forKey: .embedding)
    try container.encode(width, forKey: .width)
    try container.encode(layers, forKey: .layers)
  }

  public func makeNetwork() -> any Network { CharRNN(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.vocabulary = weights.extent(0, of: "embedding.weight") ?? vocabulary
    result.embedding = weights.extent(1, of: "embedding.weight") ?? embedding
    result.width = weights.extent(1, of: "lstm.weight_hh_l0") ?? width
    let found = (0..<Self.mostLayers).prefix { weights.spec("lstm.weight_hh_l\($0)") != nil }.count
    if found > 0 { result.layers = found }
    return result
  }
}

extension CharRNN {
  static let entries = [ZooEntry("charrnn", .language, [Dialect("pytorch", Configuration.ml5)])]
}
