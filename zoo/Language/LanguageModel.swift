import AviaryLayers
import AviaryTensors
import AviaryWeights

/// Writes on from the beginning of a text, and says how likely a text is.
///
///     let model = try Zoo.load(LanguageModel.self, "charrnn", weights: "charrnn.pth")
///     let text = try model.write("The ", length: 200, choosing: .sampled(temperature: 0.8), seed: 1)
public struct LanguageModel: TaskModel {
  public static let task = ZooTask.language

  /// What it reads and writes: characters, or parts of words.
  public let tokenizer: any Tokenizer
  let reader: any LanguageReader

  /// The most tokens that count for the next one; nil where all that was read does.
  public var contextLength: Int? { reader.contextLength }

  /// - Throws: ``UnsuitableVocabulary`` when none is bound to the weights, or not the network's; ``ConfigurationError`` when what is bound to them
  ///   makes no sense.
  public init(_ loaded: sending LoadedNetwork, execution: Execution = .compiled()) throws {
    guard loaded.task == Self.task, loaded.network.signature.inputs.first?.bound != nil else {
      throw WrongTask(model: loaded.name, task: loaded.task)
    }
    let tokenizer = try loaded.tokenizer()
    try self.init(loaded.network, tokenizer: tokenizer, execution: execution)
  }

  /// A network of one's own whose first input are tokens N×T and whose first output are the logits N×T×V of the tokens after them. Inputs that
  /// may be left out and are outputs too are its state.
  ///
  /// - Throws: ``UnsuitableVocabulary`` when the network has another number of tokens.
  public init(
    _ network: sending any Network, tokenizer: any Tokenizer, execution: Execution = .compiled()
  ) throws(UnsuitableVocabulary) {
    let signature = network.signature
    guard let size = signature.inputs.first?.bound, !signature.outputs.isEmpty else {
      requirementFailure("the network's first input are no tokens below a bound")
    }
    guard tokenizer.count == size else {
      throw UnsuitableVocabulary(
        "the vocabulary has \(tokenizer.count) \(tokenizer.unit), but the network has \(size)")
    }
    self.tokenizer = tokenizer
    let cache = (network as? any CachingLanguageNetwork).map { ($0.contextLength, $0.cacheShape) }
    let shared = SharedNetwork(network, execution: execution)
    reader =
      if let (contextLength, cacheShape) = cache {
        CachingReader(shared, contextLength: contextLength, cacheShape: cacheShape)
      } else {
        RecurrentReader(shared, signature)
      }
  }

  private init(_ other: LanguageModel) { (tokenizer, reader) = (other.tokenizer, other.reader.copy()) }

  public func copy() -> LanguageModel { LanguageModel(self) }

  /// What follows a prompt, until it is long enough, the network ends it, or a text comes at which to stop.
  ///
  /// Where a network can look at so many tokens only, what is further back than those no longer counts.
  /// - Parameters:
  ///   - prompt: the beginning, a token or more; it is not part of the result. It may be empty where texts have a token for their end.
  ///   - length: how many tokens are written at most.
  ///   - choice: how each is chosen.
  ///   - stops: texts at which to stop, none of them empty; they are not part of the result.
  ///   - seed: of the choice: the same one gives the same text.
  ///   - told: gets the text by whole characters, as soon as they are certain. What it throws ends the writing.
  /// - Throws: ``UnknownCharacters``, ``EmptyText``, ``NoNumbers``, what `told` throws.
  public func write(
    _ prompt: String, length: Int, choosing choice: TokenChoice = .sampled(), stops: [String] = [],
    seed: UInt64 = 0, told: (String) throws -> Void = { _ in }
  ) throws -> String {
    require(length >= 0, "\(length) \(tokenizer.unit) were to be written")
    let beginning = try beginning(prompt)
    let generator = RandomGenerator(seed: seed)
    var reading = reader.begin()
    var scores: [Float] = []
    try reading.read(beginning) { logits, _ in
      scores = Array(logits.values().suffix(tokenizer.count))
    }
    var (stream, stop, written) = (TextStream(), StopText(stops), "")
    func tell(_ text: String) throws {
      if text.isEmpty { return }
      written += text
      try told(text)
    }
    for index in 0..<length {
      let token = choice.choose(scores, using: generator)
      if token == tokenizer.endOfText { break }
      try tell(stop.append(stream.append(tokenizer.bytes(of: token))))
      if stop.hasEnded { return written }
      if index + 1 < length { try reading.read([token]) { logits, _ in scores = logits.values() } }
    }
    try tell(stop.append(stream.finish()))
    try tell(stop.finish())
    return written
  }

  /// The likeliest text that follows a prompt, as far as looking at several texts at a time finds it.
  ///
  /// - Parameters:
  ///   - prompt, length, stops: as in ``write(_:length:choosing:stops:seed:told:)``; texts that stop are cut there in the end.
  ///   - beam: how many are looked at.
  ///   - isNormalized: whether texts are compared by log p per token, not by its sum, which favours those that end early.
  /// - Throws: as there.
  public func likeliest(
    _ prompt: String, length: Int, beam: Int, isNormalized: Bool = false, stops: [String] = []
  ) throws -> String {
    require(length > 0 && beam > 0, "texts of \(length) \(tokenizer.unit), \(beam) at a time")
    let beginning = try beginning(prompt)
    var first = reader.begin()
    try first.read(Array(beginning.dropLast())) { _, _ in }
    var readings = [first]
    let search = BeamSearch(width: beam, maximumLength: length, isNormalized: isNormalized)
    let best = try search.best(
      start: beginning[beginning.count - 1], end: tokenizer.endOfText ?? -1
    ) { parents, tokens in
      readings = parents.map { readings[$0] }
      var scores: [[Float]] = []
      for (index, token) in tokens.enumerated() {
        try readings[index].read([token]) { logits, _ in scores.append(logits.logSoftmax().values()) }
      }
      return BeamSearch.Step(logProbabilities: scores, attention: scores.map { _ in [] })
    }
    var stop = StopText(stops)
    let text = stop.append(tokenizer.decode(best.words.filter { $0 != tokenizer.endOfText }))
    return text + stop.finish()
  }

  /// The tokens of a prompt; that between texts where it is empty.
  private func beginning(_ prompt: String) throws -> [Int] {
    let tokens = try tokenizer.encode(prompt)
    if !tokens.isEmpty { return tokens }
    guard let end = tokenizer.endOfText else {
      throw EmptyText(what: "a prompt has", least: 1, unit: tokenizer.unit)
    }
    return [end]
  }
}

/// A text is too short for what was asked.
public struct EmptyText: Error, Equatable, CustomStringConvertible {
  let what: String
  let least: Int
  /// What texts consist of, in the plural.
  let unit: String
  public var description: String {
    "\(what) \(least) \(least == 1 ? String(unit.dropLast()) : unit) at least"
  }
}
