import AviaryLayers
import AviaryTensors
import AviaryWeights

/// Makes one text of another, and says where it looked at each character.
///
///     let translation = try Zoo.load(Translator.self, "translate_dates").translate("Sunday, 3rd of May, 1998")
///     print(translation.text)  // 1998-05-03
public struct Translator: TaskModel {
  public static let task = ZooTask.translation

  /// The characters that it reads and writes.
  public let vocabulary: TranslationVocabulary
  private let encoder: SharedNetwork
  private let decoder: SharedNetwork
  private let hasAttention: Bool

  /// - Throws: ``WrongTask`` for a network of another task, ``UnsuitableVocabulary`` when no characters are bound to the weights or not as many as the
  ///   network knows, ``ConfigurationError`` when what is bound to them makes no sense.
  public init(_ loaded: sending LoadedNetwork, execution: Execution = .compiled()) throws {
    guard loaded.task == Self.task, let network = loaded.network as? any TranslationNetwork else {
      throw WrongTask(model: loaded.name, task: loaded.task)
    }
    let vocabulary = try TranslationVocabulary(loaded)
    guard vocabulary.source.count == network.sourceCount, vocabulary.targetCount == network.targetCount else {
      throw UnsuitableVocabulary(
        "the vocabulary has \(vocabulary.source.count) characters to read and \(vocabulary.targetCount) to write, but the network \(network.sourceCount) and \(network.targetCount)"
      )
    }
    let hasAttention = network.hasAttention
    self.init(SharedNetwork(loaded.network, execution: execution), vocabulary, hasAttention: hasAttention)
  }

  private init(_ network: SharedNetwork, _ vocabulary: TranslationVocabulary, hasAttention: Bool) {
    (self.vocabulary, self.hasAttention) = (vocabulary, hasAttention)
    encoder = network.piece(inputs: ["source"], outputs: ["annotations", "state"]) {
      (network: any TranslationNetwork, tensors) in
      let (annotations, state) = network.encode(tensors["source"], lengths: nil)
      return ["annotations": annotations, "state": state]
    }
    decoder = network.piece(
      inputs: ["words", "state"] + (hasAttention ? ["annotations", "padding"] : []),
      outputs: ["log_probabilities", "state"] + (hasAttention ? ["attention"] : [])
    ) { (network: any TranslationNetwork, tensors) in
      let state = tensors["state"]
      let (logits, attention, next) = network.step(
        tensors["words"], state: state, annotations: tensors[ifPresent: "annotations"] ?? state,
        padding: tensors[ifPresent: "padding"])
      var outputs: NamedTensors = ["log_probabilities": logits.logSoftmax(), "state": next]
      outputs[ifPresent: "attention"] = attention
      return outputs
    }
  }

  private init(_ other: Translator) {
    (vocabulary, hasAttention) = (other.vocabulary, other.hasAttention)
    (encoder, decoder) = (other.encoder.copy(), other.decoder.copy())
  }

  public func copy() -> Translator { Translator(self) }

  /// What a text becomes.
  ///
  /// - Parameters:
  ///   - text: from one character to as many as ``vocabulary`` says.
  ///   - beam: how many translations are looked at at a time, from 1 (always the likeliest character) on.
  ///   - isNormalized: whether translations are compared by log p per character, not by its sum, which favours short ones.
  ///   - maximumLength: characters after which a translation ends that has no end of its own.
  /// - Throws: ``UnknownCharacters``, ``EmptyText``, ``LongText``, ``NoNumbers``.
  public func translate(
    _ text: String, beam: Int = 1, isNormalized: Bool = false, maximumLength: Int = 100
  ) throws -> Translation {
    try translate([text], beam: beam, isNormalized: isNormalized, maximumLength: maximumLength)[0]
  }

  /// What texts become, whose characters are looked for at the same time; each is what it would be alone.
  ///
  /// Parameters and errors as in ``translate(_:beam:isNormalized:maximumLength:)-(String,_,_,_)``; the first text that cannot be translated throws.
  public func translate(
    _ texts: [String], beam: Int = 1, isNormalized: Bool = false, maximumLength: Int = 100
  ) throws -> [Translation] {
    require(beam > 0 && maximumLength > 0, "translations of \(maximumLength) characters, \(beam) at a time")
    let sources = try texts.map(tokens(of:))
    if texts.isEmpty { return [] }
    let read = self.read(sources)
    var (kept, state) = (read, read.state)
    var places = Array(texts.indices)
    let search = BeamSearch(width: beam, maximumLength: maximumLength, isNormalized: isNormalized)
    let best = try search.best(
      texts.count, start: TranslationVocabulary.start, end: TranslationVocabulary.end
    ) { rows in
      if rows.texts != places { (kept, places) = (read.rows(rows.texts), rows.texts) }
      var inputs: NamedTensors = [
        "words": Tensor(rows.words.map { Int64($0) }),
        "state": embedding(state, tokens: Tensor(rows.parents.map { Int64($0) })),
      ]
      if hasAttention { (inputs["annotations"], inputs["padding"]) = (kept.annotations, kept.padding) }
      let outputs = decoder(inputs)
      let scores = outputs["log_probabilities"]
      try scores.requireNumbers(of: texts.count == 1 ? "the text" : "the texts")
      state = outputs["state"]
      return BeamSearch.Step(
        logProbabilities: scores.rows,
        attention: outputs[ifPresent: "attention"]?.rows ?? rows.words.map { _ in [] })
    }
    return texts.indices.map { Translation(best[$0], of: texts[$0], count: sources[$0].count, vocabulary) }
  }

  /// The numbers of a text's characters. Throws ``UnknownCharacters``, ``EmptyText``, ``LongText``.
  package func tokens(of text: String) throws -> [Int] {
    let tokens = try vocabulary.source.encode(text)
    guard !tokens.isEmpty else {
      throw EmptyText(what: "a text to translate has", least: 1, unit: vocabulary.source.unit)
    }
    guard tokens.count <= vocabulary.longest else {
      throw LongText(count: tokens.count, most: vocabulary.longest)
    }
    return tokens
  }

  // MARK: Reading

  /// What the encoder makes of texts.
  private struct Reading {
    /// N×S×D, zeros behind the end of a text.
    let annotations: Tensor
    /// N×H.
    let state: Tensor
    /// The characters of each.
    let lengths: [Int]

    /// N×S, true behind the end of a text.
    var padding: Tensor {
      let width = annotations.shape[1]
      return Tensor(
        lengths.flatMap { length in (0..<width).map { $0 >= length } }, shape: [lengths.count, width])
    }

    func rows(_ places: [Int]) -> Reading {
      Reading(
        annotations: annotations.rows(places), state: state.rows(places),
        lengths: places.map { lengths[$0] })
    }
  }

  /// Texts of one length that are read at once; the network is compiled for so many and for one.
  private static let readAtOnce = 8

  private func read(_ sources: [[Int]]) -> Reading {
    var read: [Int: (annotations: Tensor, state: Tensor)] = [:]
    for (length, places) in Dictionary(grouping: sources.indices, by: { sources[$0].count }) {
      var first = 0
      while first < places.count {
        let count = places.count - first < Self.readAtOnce ? 1 : Self.readAtOnce
        let some = places[first..<first + count]
        let tokens = Tensor(some.flatMap { sources[$0].map { Int64($0) } }, shape: [count, length])
        let encoded = encoder(["source": tokens])
        for (row, place) in some.enumerated() {
          read[place] = (encoded["annotations"].rows([row]), encoded["state"].rows([row]))
        }
        first += count
      }
    }
    let rows = sources.indices.compactMap { read[$0] }
    // Alone a text has no end to hide; several share a few lengths, for which the network is compiled.
    let longest = sources.map(\.count).max() ?? 0
    let width = sources.count == 1 ? longest : (longest + 7) / 8 * 8
    let annotations = rows.map { row in
      let (length, features) = (row.annotations.shape[1], row.annotations.shape[2])
      return length == width
        ? row.annotations : concatenate([row.annotations, .zeros([1, width - length, features])], axis: 1)
    }
    return Reading(
      annotations: concatenate(annotations, axis: 0), state: concatenate(rows.map(\.state), axis: 0),
      lengths: sources.map(\.count))
  }
}

/// What a text becomes.
public struct Translation: Sendable {
  /// The new text.
  public let text: String
  /// The text that was translated.
  public let source: String
  /// The sum of log p of the characters and of the end.
  public let score: Float
  /// Whether it came to an end by itself, and not because it was long enough.
  public let isComplete: Bool
  /// Where the network looked at each of the characters of ``text``, and at its end where it has one: a share of 1 for each of ``source``'s. Nil
  /// without attention.
  public let attention: Tensor?

  /// - Parameter count: characters of `source`; where the network looked may be longer.
  init(
    _ hypothesis: BeamSearch.Hypothesis, of source: String, count: Int, _ vocabulary: TranslationVocabulary
  ) {
    self.source = source
    text = vocabulary.decode(hypothesis.words)
    (score, isComplete) = (hypothesis.score, hypothesis.isComplete)
    let rows = hypothesis.attention
    attention =
      rows.first?.isEmpty ?? true
      ? nil : Tensor(rows.flatMap { $0.prefix(count) }, shape: [rows.count, count])
  }

  /// What stands beside the rows of ``attention``, and above its columns.
  public var labels: (rows: [String], columns: [String]) {
    (
      text.unicodeScalars.map { String($0) } + (isComplete ? [" "] : []),
      source.unicodeScalars.map { String($0) }
    )
  }
}
