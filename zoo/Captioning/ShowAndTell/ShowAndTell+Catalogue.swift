import AviaryLayers
import AviaryTensors
import AviaryWeights

extension ShowAndTell.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case vocabulary = "vocab_size"
    case encoder
    case embedding = "embed_size"
    case width = "hidden_size"
    case encoderFile = "encoder_file"
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self.init()
    var entries = try ConfigurationEntries(from: decoder)
    vocabulary = try entries.integer(CodingKeys.vocabulary.rawValue, 4...1_000_000, missing: vocabulary)
    encoder = try entries.choice(CodingKeys.encoder.rawValue, Body.self, missing: encoder)
    embedding = try entries.integer(CodingKeys.embedding.rawValue, 1...8192, missing: embedding)
    width = try entries.integer(CodingKeys.width.rawValue, 1...8192, missing: width)
    // A file that is named there has become a part of the weights.
    try entries.only(CodingKeys.encoderFile.rawValue, nil)
    _ = try entries.integer("num_layers", 1...1, missing: 1)
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(vocabulary, forKey: .vocabulary)
    try container.encode(self.encoder.rawValue, forKey: .encoder)
    try container.encode(embedding, forKey: .embedding)
    try container.encode(width, forKey: .width)
    try container.encodeNil(forKey: .encoderFile)
  }

  public func makeNetwork() -> any Network { ShowAndTell(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.vocabulary = weights.extent(0, of: "decoder.embed.weight") ?? vocabulary
    result.embedding = weights.extent(1, of: "decoder.embed.weight") ?? embedding
    result.width = weights.extent(1, of: "decoder.lstm.weight_hh_l0") ?? width
    if let body = Body.allCases.last(where: { $0.resnet.isBody(of: weights, at: "encoder.resnet.") }) {
      result.encoder = body
    }
    return result
  }
}

extension ResNet.Configuration {
  /// Whether weights of a sequence of layers, as PyTorch numbers a ResNet's, have the blocks of this one, as far as their numbers go.
  func isBody(of weights: WeightArchive, at prefix: String) -> Bool {
    func has(_ group: Int, _ block: Int, _ convolution: Int) -> Bool {
      weights.spec("\(prefix)\(group).\(block).conv\(convolution).weight") != nil
    }
    return has(4, 0, 3) == (block == .bottleneck)
      && depths.enumerated().allSatisfy { has($0 + 4, $1 - 1, 2) && !has($0 + 4, $1, 2) }
  }
}

extension ShowAndTell: SizedNetwork {
  public func check(_ inputs: NamedTensors) throws(SignatureError) {
    try checkLengths(inputs, from: 1)
  }
}

extension ShowAndTell {
  static let entries = [
    ZooEntry(
      "show_and_tell", .captioning,
      [
        Dialect(
          "yunjey", Configuration(),
          TaskBinding(
            preprocessing: .init(
              height: 224, width: 224, mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225]),
            companions: [wordMap],
            parts: [.init(prefix: "decoder."), .init(prefix: "encoder.", setting: "encoder_file")]))
      ])
  ]

  /// The tutorial keeps its words in a pickled object of its own class; as JSON they are read from beside the weights.
  private static let wordMap = CompanionFile(
    places: ["*_wordmap.json", "wordmap.json", "vocab.json"],
    missing: { _ in nil },
    read: { path, metadata in metadata.labels = try WordVocabulary(contentsOf: path).words })
}
