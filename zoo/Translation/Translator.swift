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
      inputs: ["words", "state"] + (hasAttention ? ["annotations"] : []),
      outputs: ["log_probabilities", "state"] + (hasAttention ? ["attention"] : [])
    ) { (network: any TranslationNetwork, tensors) in
      let state = tensors["state"]
      let (logits, attention, next) = network.step(
        tensors["words"], state: state, annotations: tensors[ifPresent: "annotations"] ?? state, padding: nil)
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
    require(beam > 0 && maximumLength > 0, "translations of \(maximumLength) characters, \(beam) at a time")
    let tokens = try vocabulary.source.encode(text)
    guard !tokens.isEmpty else {
      throw EmptyText(what: "a text to translate has", least: 1, unit: vocabulary.source.unit)
    }
    guard tokens.count <= vocabulary.longest else {
      throw LongText(count: tokens.count, most: vocabulary.longest)
    }
    let encoded = encoder(["source": Tensor(tokens.map { Int64($0) }, shape: [1, tokens.count])])
    let annotations = encoded["annotations"]
    var state = encoded["state"]
    let search = BeamSearch(width: beam, maximumLength: maximumLength, isNormalized: isNormalized)
    let best = try search.best(
      start: TranslationVocabulary.start, end: TranslationVocabulary.end
    ) { parents, words in
      var inputs: NamedTensors = [
        "words": Tensor(words.map { Int64($0) }),
        "state": embedding(state, tokens: Tensor(parents.map { Int64($0) })),
      ]
      if hasAttention { inputs["annotations"] = annotations }
      let outputs = decoder(inputs)
      let scores = outputs["log_probabilities"]
      try scores.requireNumbers(of: "the text")
      state = outputs["state"]
      return BeamSearch.Step(
        logProbabilities: scores.rows,
        attention: outputs[ifPresent: "attention"]?.rows ?? words.map { _ in [] })
    }
    return Translation(best, of: text, vocabulary)
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

  init(_ hypothesis: BeamSearch.Hypothesis, of source: String, _ vocabulary: TranslationVocabulary) {
    self.source = source
    text = vocabulary.decode(hypothesis.words)
    (score, isComplete) = (hypothesis.score, hypothesis.isComplete)
    let rows = hypothesis.attention
    attention =
      rows.first?.isEmpty ?? true ? nil : Tensor(rows.flatMap(\.self), shape: [rows.count, rows[0].count])
  }

  /// What stands beside the rows of ``attention``, and above its columns.
  public var labels: (rows: [String], columns: [String]) {
    (
      text.unicodeScalars.map { String($0) } + (isComplete ? [" "] : []),
      source.unicodeScalars.map { String($0) }
    )
  }
}

extension Tensor {
  /// The rows of a matrix.
  fileprivate var rows: [[Float]] {
    let values = values()
    let width = shape[1]
    return (0..<shape[0]).map { Array(values[$0 * width..<($0 + 1) * width]) }
  }
}
