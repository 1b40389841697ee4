import AviaryLayers
import AviaryTensors
import AviaryWeights

/// Writes on from the beginning of a text, and says how likely a text is.
///
///     let model = try Zoo.load(LanguageModel.self, "charrnn", weights: "charrnn.pth")
///     let text = try model.write("The ", length: 200, choosing: .sampled(temperature: 0.8), seed: 1)
public struct LanguageModel: TaskModel {
  public static let task = ZooTask.language

  /// The characters that it reads and writes.
  public let vocabulary: Vocabulary
  private let network: SharedNetwork
  /// The input for tokens N×T and the output of logits N×T×V.
  private let (tokens, logits): (String, String)
  /// What goes out of one call and into the next.
  private let states: [String]

  /// Tokens that are read at once: longer texts are read in pieces, for which the network is compiled once.
  private static let pieceLength = 100

  /// - Throws: ``UnsuitableVocabulary`` when none is bound to the weights, or not the network's.
  public init(_ loaded: sending LoadedNetwork, execution: Execution = .compiled()) throws {
    guard loaded.task == Self.task, let size = loaded.network.signature.inputs.first?.bound else {
      throw WrongTask(model: loaded.name, task: loaded.task)
    }
    guard let vocabulary = try loaded.metadata.labels.map(Vocabulary.init) else {
      throw UnsuitableVocabulary(
        "\(loaded.name) has \(size) characters, and no vocabulary says which: lay a vocab.json beside the weights, or name a file with --vocabulary, that is a JSON object from characters to numbers or an array of characters"
      )
    }
    try self.init(loaded.network, vocabulary: vocabulary, execution: execution)
  }

  /// A network of one's own whose first input are tokens N×T and whose first output are the logits N×T×V of the tokens after them. Inputs that
  /// may be left out and are outputs too are its state.
  ///
  /// - Throws: ``UnsuitableVocabulary`` when the network has another number of characters.
  public init(
    _ network: sending any Network, vocabulary: Vocabulary, execution: Execution = .compiled()
  ) throws(UnsuitableVocabulary) {
    let signature = network.signature
    guard let input = signature.inputs.first, let size = input.bound, let output = signature.outputs.first
    else { requirementFailure("the network's first input are no tokens below a bound") }
    guard vocabulary.count == size else {
      throw UnsuitableVocabulary(
        "the vocabulary has \(vocabulary.count) characters, but the network has \(size)")
    }
    self.vocabulary = vocabulary
    (tokens, logits) = (input.name, output.name)
    let outputs = Set(signature.outputs.map(\.name))
    states = signature.inputs.filter { $0.isOptional && outputs.contains($0.name) }.map(\.name)
    self.network = SharedNetwork(network, execution: execution)
  }

  private init(_ other: LanguageModel) {
    (vocabulary, tokens, logits, states) = (other.vocabulary, other.tokens, other.logits, other.states)
    network = other.network.copy()
  }

  public func copy() -> LanguageModel { LanguageModel(self) }

  /// What follows a prompt.
  ///
  /// - Parameters:
  ///   - prompt: the beginning, one character or more; it is not part of the result.
  ///   - length: how many characters are written.
  ///   - choice: how each is chosen.
  ///   - seed: of that choice: the same one gives the same text.
  ///   - told: gets each character as it is chosen. What it throws ends the writing.
  /// - Throws: ``UnknownCharacters``, ``EmptyText``, ``NoNumbers``, what `told` throws.
  public func write(
    _ prompt: String, length: Int, choosing choice: TokenChoice = .sampled(), seed: UInt64 = 0,
    told: (String) throws -> Void = { _ in }
  ) throws -> String {
    require(length >= 0, "\(length) characters were to be written")
    let beginning = try vocabulary.encode(prompt)
    guard !beginning.isEmpty else { throw EmptyText(what: "a prompt has", least: 1) }
    let generator = RandomGenerator(seed: seed)
    var reading = Reading(self)
    var scores: [Float] = []
    try reading.read(beginning) { logits, _ in
      scores = Array(logits.values().suffix(vocabulary.count))
    }
    var written: [Int] = []
    while written.count < length {
      let token = choice.choose(scores, using: generator)
      written.append(token)
      try told(vocabulary.decode([token]))
      if written.count == length { break }
      try reading.read([token]) { logits, _ in scores = logits.values() }
    }
    return vocabulary.decode(written)
  }

  /// How likely a text is.
  public struct Likelihood: Sendable, Hashable {
    /// −log p of a character given all before it, in nats, on average.
    public let nats: Float
    /// The share of characters that were the likeliest.
    public let accuracy: Float
    /// Characters that were predicted: all but the first.
    public let count: Int
  }

  /// How likely the model finds a text after its first character.
  ///
  /// - Parameter progress: gets the characters read, and all.
  /// - Throws: ``UnknownCharacters``, ``EmptyText`` for a text of less than two characters, ``NoNumbers``, what `progress` throws.
  public func negativeLogLikelihood(
    of text: String, progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> Likelihood {
    let read = try vocabulary.encode(text)
    let count = read.count - 1
    guard count > 0 else { throw EmptyText(what: "a text whose likelihood is asked for has", least: 2) }
    var (nats, right) = (Double(0), 0)
    var reading = Reading(self)
    try reading.read(Array(read.dropLast())) { logits, range in
      let targets = read[(range.lowerBound + 1)...range.upperBound].map { Int64($0) }
      let places = Tensor(targets, shape: [targets.count, 1])
      nats -= Double(logits.logSoftmax().gathered(1, places).sum().item())
      right += zip(logits.argMax().values(of: Int64.self), targets).count { $0 == $1 }
      try progress(range.upperBound, count)
    }
    return Likelihood(nats: Float(nats / Double(count)), accuracy: Float(right) / Float(count), count: count)
  }

  /// A text being read, with the state that what was read has left.
  private struct Reading {
    private let model: LanguageModel
    private var state = NamedTensors()

    init(_ model: LanguageModel) { self.model = model }

    /// Reads tokens in pieces; `body` gets the logits T×V of the token after each, and which of the tokens those are.
    mutating func read(
      _ tokens: [Int], _ body: (_ logits: Tensor, _ range: Range<Int>) throws -> Void
    ) throws {
      for start in stride(from: 0, to: tokens.count, by: LanguageModel.pieceLength) {
        let range = start..<min(start + LanguageModel.pieceLength, tokens.count)
        var inputs = state
        inputs[model.tokens] = Tensor(tokens[range].map { Int64($0) }, shape: [1, range.count])
        let outputs = model.network(inputs)
        for name in model.states { state[name] = outputs[name] }
        let logits = outputs[model.logits].squeezed(0)  // T×V
        try logits.requireNumbers(of: "the text")
        try body(logits, range)
      }
    }
  }
}

extension LoadedNetwork {
  /// The same with another vocabulary bound to it.
  public func bound(to vocabulary: Vocabulary) -> LoadedNetwork {
    var result = self
    result.metadata.labels = vocabulary.labels
    result.assumptions = []
    return result
  }
}

/// A text is too short for what was asked.
public struct EmptyText: Error, Equatable, CustomStringConvertible {
  let what: String
  let least: Int
  public var description: String { "\(what) \(least) \(least == 1 ? "character" : "characters") at least" }
}
