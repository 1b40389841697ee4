import AviaryLayers
import AviaryWeights

extension CharRNN.Configuration: NetworkConfiguration {
  private static let mostLayers = 64

  private static var fields: [ConfigurationField<Self>] {
    [
      .integer("vocabulary", \.vocabulary), .integer("embedding", \.embedding), .integer("width", \.width),
      .integer("layers", 1...mostLayers, \.layers),
    ]
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self = try Self.fields.decoded(from: decoder, missing: Self())
  }

  public func encode(to encoder: any Encoder) throws { try Self.fields.encode(self, to: encoder) }

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
  static let entries = [
    ZooEntry(
      "charrnn", .language,
      [
        Dialect(
          "pytorch", nameMaps: ["tensorflow_charrnn"], Configuration.ml5,
          TaskBinding(labels: .names(shakespeare), companions: [vocabularyFile]))
      ]),
    // Its characters are those of the text that it learned, and its file says them.
    ZooEntry(
      "charrnn_shakespeare", .language,
      [Dialect("aviary", Configuration.shakespeare, TaskBinding(companions: [learnedVocabulary]))]),
  ]

  /// The characters of ml5's model of Shakespeare, in the order of its numbers: by how often the text has them.
  private static let shakespeare =
    " etoahsrni\nldumy,wfcgIbp:.AvkT'EONRSLC;WUHMB?G!D-FYPKVjqxzJQZX3&$"
    .map { String($0) }

  /// Checkpoints hold numbers of characters alone.
  private static let vocabularyFile = CompanionFile(
    places: ["*_vocab.json", "vocab.json", "vocabulary.json"],
    missing: { metadata in
      metadata.labels.map {
        "no vocabulary beside the weights: the \($0.count) characters are taken in the order of ml5's model of Shakespeare"
      }
    },
    read: { path, metadata in metadata.labels = try Vocabulary(contentsOf: path).labels })

  /// The same for weights in other formats than the portable one.
  private static let learnedVocabulary = CompanionFile(
    places: vocabularyFile.places, missing: { _ in nil }, read: vocabularyFile.read)
}
