import AviaryLayers
import AviaryTensors

/// The pieces of a captioning network that are run one after another, and the search between them; it knows words by their numbers alone.
package struct CaptionDecoder: Sendable {
  private let encoder: SharedNetwork
  private let beginning: SharedNetwork
  private let decoder: SharedNetwork

  /// - Parameter network: a ``CaptioningNetwork``.
  init(_ network: SharedNetwork) {
    encoder = network.piece(inputs: ["image"], outputs: ["features"]) {
      (network: any CaptioningNetwork, tensors) in ["features": network.encode(tensors["image"])]
    }
    beginning = network.piece(inputs: ["features"], outputs: ["hidden", "cell", "keys"]) {
      (network: any CaptioningNetwork, tensors) in
      let (hidden, cell, keys) = network.begin(tensors["features"])
      return ["hidden": hidden, "cell": cell, "keys": keys]
    }
    decoder = network.piece(
      inputs: ["words", "hidden", "cell", "features", "keys"],
      outputs: ["log_probabilities", "attention", "hidden", "cell"]
    ) { (network: any CaptioningNetwork, tensors) in
      let (logits, attention, hidden, cell) = network.step(
        tensors["words"], hidden: tensors["hidden"], cell: tensors["cell"], features: tensors["features"],
        keys: tensors["keys"])
      return [
        "log_probabilities": logits.logSoftmax(), "attention": attention, "hidden": hidden, "cell": cell,
      ]
    }
  }

  private init(_ other: CaptionDecoder) {
    (encoder, beginning, decoder) = (other.encoder.copy(), other.beginning.copy(), other.decoder.copy())
  }

  func copy() -> CaptionDecoder { CaptionDecoder(self) }

  /// What the encoder makes of pictures N×3×H×W: N×h×w×D. Throws ``NoNumbers``.
  func features(of pictures: Tensor, named name: String) throws -> Tensor {
    let features = encoder(["image": pictures])["features"]
    try features.requireNumbers(of: name)
    return features
  }

  /// The best captions of pictures' features, N×h×w×D. Throws ``NoNumbers``.
  func best(
    _ search: BeamSearch, of features: Tensor, start: Int, end: Int
  ) throws -> [BeamSearch.Hypothesis] {
    let begin = beginning(["features": features])
    var (hidden, cell) = (begin["hidden"], begin["cell"])
    var (kept, keys, texts) = (features, begin["keys"], Array(0..<features.shape[0]))
    return try search.best(texts.count, start: start, end: end) { rows in
      if rows.texts != texts {
        (kept, keys, texts) = (features.rows(rows.texts), begin["keys"].rows(rows.texts), rows.texts)
      }
      let parents = Tensor(rows.parents.map { Int64($0) })
      let outputs = decoder([
        "words": Tensor(rows.words.map { Int64($0) }), "hidden": embedding(hidden, tokens: parents),
        "cell": embedding(cell, tokens: parents), "features": kept, "keys": keys,
      ])
      let scores = outputs["log_probabilities"]
      try scores.requireNumbers(of: texts.count == 1 ? "the picture" : "the pictures")
      (hidden, cell) = (outputs["hidden"], outputs["cell"])
      return BeamSearch.Step(logProbabilities: scores.rows, attention: outputs["attention"].rows)
    }
  }
}

extension CaptionDecoder {
  /// For networks whose words are not known.
  package init(_ loaded: sending LoadedNetwork, execution: Execution) throws {
    guard loaded.task == .captioning, loaded.network is any CaptioningNetwork else {
      throw WrongTask(model: loaded.name, task: loaded.task)
    }
    self.init(SharedNetwork(loaded.network, execution: execution))
  }

  /// The numbers of the words of captions, `start` first and `end` last where one came, int64 N×L, shorter ones filled up with `padding`.
  ///
  /// - Parameters:
  ///   - input: pictures N×3×H×W as the network takes them, or features N×h×w×D that were computed before.
  ///   - isPictures: which of the two.
  ///   - beam: how many captions are looked at at a time.
  package func tokens(
    for input: Tensor, isPictures: Bool, beam: Int, start: Int, end: Int, padding: Int, maximumLength: Int
  ) throws -> Tensor {
    let features = isPictures ? try self.features(of: input, named: "the picture") : input
    let search = BeamSearch(width: beam, maximumLength: maximumLength)
    let captions = try best(search, of: features, start: start, end: end).map { [start] + $0.words }
    let longest = captions.map(\.count).max() ?? 0
    let filled = captions.flatMap { $0 + Array(repeating: padding, count: longest - $0.count) }
    return Tensor(filled.map { Int64($0) }, shape: [captions.count, longest])
  }
}
