import AviaryLayers
import AviaryWeights

extension ShowAttendTell.Configuration: NetworkConfiguration {
  private static var fields: [ConfigurationField<Self>] {
    [
      .words(\.vocabulary), .choice("encoder", \.encoder), .integer("encoded_image_size", 1...64, \.grid),
      .width("attention_dim", \.attention), .width("embed_dim", \.embedding),
      .width("decoder_dim", \.width), .number("dropout", 0...0.99, \.dropout),
    ]
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self = try Self.fields.decoded(from: decoder, missing: Self())
  }

  public func encode(to encoder: any Encoder) throws { try Self.fields.encode(self, to: encoder) }

  public func makeNetwork() -> any Network { ShowAttendTell(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.vocabulary = weights.extent(0, of: "decoder.embedding.weight") ?? vocabulary
    result.embedding = weights.extent(1, of: "decoder.embedding.weight") ?? embedding
    result.attention = weights.extent(0, of: "decoder.attention.decoder_att.weight") ?? attention
    result.width = weights.extent(1, of: "decoder.attention.decoder_att.weight") ?? width
    result.encoder = Body(of: weights) ?? encoder
    return result
  }
}

extension ShowAttendTell.Configuration.Body {
  /// That of some weights, as far as the numbers of their layers go.
  fileprivate init?(of weights: WeightArchive) {
    if let body = ResNetBody(of: weights, at: "encoder.resnet.") {
      self.init(rawValue: body.rawValue)
    } else if weights.spec("encoder.resnet.3.weight") != nil {
      self = .plain
    } else {
      return nil
    }
  }
}

extension ShowAttendTell: SizedNetwork {
  public func check(_ inputs: NamedTensors) throws(SignatureError) {
    try checkLengths(inputs, from: 2)
  }
}

extension ShowAttendTell {
  static let entries = [
    ZooEntry(
      "show_attend_tell", .captioning,
      [
        Dialect(
          "sgrvinod", Configuration(),
          .captioner(
            side: 256,
            wordMaps: ["coco", "flickr30k", "flickr8k"].map {
              "WORDMAP_\($0)_5_cap_per_img_5_min_word_freq.json"
            }))
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
}
