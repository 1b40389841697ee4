import AviaryLayers
import AviaryTraining
import AviaryWeights

extension RecurrentTranslator.Configuration: NetworkConfiguration {
  private static var fields: [ConfigurationField<Self>] {
    [
      .integer("source", \.source), .integer("target", \.target),
      .integer("embedding", 1...65_536, \.embedding), .integer("width", 1...65_536, \.width),
      .choice("attention", \.attention),
    ]
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self = try Self.fields.decoded(from: decoder, missing: Self())
  }

  public func encode(to encoder: any Encoder) throws { try Self.fields.encode(self, to: encoder) }

  public func makeNetwork() -> any Network { RecurrentTranslator(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.source = weights.extent(0, of: "encoder.embedding.weight") ?? source
    result.target = weights.extent(0, of: "decoder.embedding.weight") ?? target
    result.embedding = weights.extent(1, of: "encoder.embedding.weight") ?? embedding
    result.width = weights.extent(0, of: "decoder.bridge.weight") ?? width
    if weights.spec("decoder.bridge.weight") != nil {
      result.attention = weights.spec("decoder.attention.query.weight") == nil ? .none : .additive
    }
    return result
  }

  /// Small, for the dates of ``WrittenDates``.
  static let dates: Self = {
    var configuration = Self()
    configuration.source = WrittenDates.characters.count
    configuration.target = TranslationVocabulary.marks.count + WrittenDates.isoCharacters.count
    (configuration.embedding, configuration.width) = (32, 96)
    return configuration
  }()
}

extension RecurrentTranslator {
  static let entries = [
    ZooEntry(
      "translate_dates", .translation,
      [
        Dialect(
          "aviary", Configuration.dates,
          TaskBinding(
            labels: .names(TranslationVocabulary.marks + WrittenDates.isoCharacters),
            settings: [
              TranslationVocabulary.sourceSetting: .array(WrittenDates.characters.map { .string($0) }),
              TranslationVocabulary.longestSetting: .integer(WrittenDates.longest),
            ]))
      ])
  ]
}
