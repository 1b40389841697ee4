import AviaryLayers
import AviaryWeights

extension ShowAndTell.Configuration: NetworkConfiguration {
  private static var fields: [ConfigurationField<Self>] {
    [
      .words(\.vocabulary), .choice("encoder", \.encoder), .width("embed_size", \.embedding),
      .width("hidden_size", \.width), .only("num_layers", .integer(1)),
      // A file that is named there has become a part of the weights.
      .only("encoder_file", .null),
    ]
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self = try Self.fields.decoded(from: decoder, missing: Self())
  }

  public func encode(to encoder: any Encoder) throws { try Self.fields.encode(self, to: encoder) }

  public func makeNetwork() -> any Network { ShowAndTell(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.vocabulary = weights.extent(0, of: "decoder.embed.weight") ?? vocabulary
    result.embedding = weights.extent(1, of: "decoder.embed.weight") ?? embedding
    result.width = weights.extent(1, of: "decoder.lstm.weight_hh_l0") ?? width
    result.encoder = ResNetBody(of: weights, at: "encoder.resnet.") ?? encoder
    return result
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
          .captioner(
            side: 224, wordMaps: ["vocab.pkl", "vocab.json"],
            parts: [.init(prefix: "decoder."), .init(prefix: "encoder.", setting: "encoder_file")]))
      ])
  ]
}
