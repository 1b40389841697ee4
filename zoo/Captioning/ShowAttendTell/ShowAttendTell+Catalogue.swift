import AviaryLayers
import AviaryTensors
import AviaryWeights

extension ShowAttendTell.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case vocabulary = "vocab_size"
    case encoder
    case grid = "encoded_image_size"
    case attention = "attention_dim"
    case embedding = "embed_dim"
    case width = "decoder_dim"
    case dropout
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self.init()
    var entries = try ConfigurationEntries(from: decoder)
    vocabulary = try entries.integer(CodingKeys.vocabulary.rawValue, 4...1_000_000, missing: vocabulary)
    encoder = try entries.choice(CodingKeys.encoder.rawValue, Body.self, missing: encoder)
    grid = try entries.integer(CodingKeys.grid.rawValue, 1...64, missing: grid)
    attention = try entries.integer(CodingKeys.attention.rawValue, 1...8192, missing: attention)
    embedding = try entries.integer(CodingKeys.embedding.rawValue, 1...8192, missing: embedding)
    width = try entries.integer(CodingKeys.width.rawValue, 1...8192, missing: width)
    dropout = Float(try entries.number(CodingKeys.dropout.rawValue, 0...0.99, missing: Double(dropout)))
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(vocabulary, forKey: .vocabulary)
    try container.encode(self.encoder.rawValue, forKey: .encoder)
    try container.encode(grid, forKey: .grid)
    try container.encode(attention, forKey: .attention)
    try container.encode(embedding, forKey: .embedding)
    try container.encode(width, forKey: .width)
    try container.encode(dropout, forKey: .dropout)
  }

  public func makeNetwork() -> any Network { ShowAttendTell(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.vocabulary = weights.extent(0, of: "decoder.embedding.weight") ?? vocabulary
    result.embedding = weights.extent(1, of: "decoder.embedding.weight") ?? embedding
    result.attention = weights.extent(0, of: "decoder.attention.decoder_att.weight") ?? attention
    result.width = weights.extent(1, of: "decoder.attention.decoder_att.weight") ?? width
    if let body = Body.allCases.last(where: { $0.isBody(of: weights) }) { result.encoder = body }
    return result
  }
}

extension ShowAttendTell.Configuration.Body {
  /// Whether the encoder of some weights is this one, as far as its numbers go.
  fileprivate func isBody(of weights: WeightArchive) -> Bool {
    resnet?.isBody(of: weights, at: "encoder.resnet.") ?? (weights.spec("encoder.resnet.3.weight") != nil)
  }
}

extension ShowAttendTell: SizedNetwork {
  public func check(_ inputs: NamedTensors) throws(SignatureError) {
    try checkLengths(inputs, from: 2)
  }
}

extension CaptioningNetwork {
  /// Throws `SignatureError` for captions of fewer words, and for lengths that are none of theirs.
  func checkLengths(_ inputs: NamedTensors, from least: Int) throws(SignatureError) {
    let shape = inputs["captions"].shape
    guard shape[1] >= least else {
      throw SignatureError(
        name: "captions", given: shape.shapeText,
        expected: "captions from \(least == 1 ? "one word" : "\(least) words") on")
    }
    guard let lengths = inputs[ifPresent: "caption_lengths"]?.cast(to: .int64).values(of: Int64.self),
      let wrong = lengths.first(where: { !(1...Int64(shape[1]) ~= $0) })
    else { return }
    throw SignatureError(
      name: "caption_lengths", given: "\(wrong) in one place", expected: "lengths from 1 to \(shape[1])")
  }
}

extension ShowAttendTell {
  static let entries = [
    ZooEntry(
      "show_attend_tell", .captioning,
      [
        Dialect(
          "sgrvinod", Configuration(),
          TaskBinding(
            preprocessing: .init(
              height: 256, width: 256, mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225]),
            companions: [wordMap]))
      ]),
    ZooEntry(
      "captioner_scenes", .captioning,
      [
        Dialect(
          "aviary", Configuration.scenes,
          TaskBinding(
            preprocessing: .init(height: 64, width: 64), labels: .names(Configuration.sceneWords.words)))
      ]),
  ]

  /// Checkpoints hold numbers of words alone.
  private static let wordMap = CompanionFile(
    places: ["*_wordmap.json", "wordmap.json", "WORDMAP_coco_5_cap_per_img_5_min_word_freq.json"],
    missing: { _ in nil },
    read: { path, metadata in metadata.labels = try WordVocabulary(contentsOf: path).words })
}
