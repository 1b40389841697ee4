import AviaryLayers
import AviaryTensors

/// A text that is being read: a value, so that a copy of it may go on otherwise.
protocol LanguageReading {
  /// Reads tokens; `body` gets the logits K×V of the token after each of some of them, one after another, and which those are.
  mutating func read(
    _ tokens: [Int], _ body: (_ logits: Tensor, _ range: Range<Int>) throws -> Void
  ) throws
}

/// How a network reads texts.
protocol LanguageReader: Sendable {
  /// The most tokens that count for the next one; nil for any number.
  var contextLength: Int? { get }
  /// Nothing has been read.
  func begin() -> any LanguageReading
  /// Another one for texts that are read at the same time.
  func copy() -> any LanguageReader
}

/// Reads with a network that carries a state from call to call: what goes out of one goes into the next.
struct RecurrentReader: LanguageReader {
  private let network: SharedNetwork
  /// The input for tokens N×T and the output of logits N×T×V.
  private let (tokens, logits): (String, String)
  private let states: [String]

  var contextLength: Int? { nil }

  /// Tokens that are read at once: longer texts are read in pieces, for which the network is compiled once.
  private static let pieceLength = 100

  /// - Parameter signature: of the network, which has an input and an output.
  init(_ network: SharedNetwork, _ signature: Signature) {
    (tokens, logits) = (signature.inputs[0].name, signature.outputs[0].name)
    states = signature.stateNames
    self.network = network
  }

  private init(_ other: RecurrentReader) {
    (tokens, logits, states) = (other.tokens, other.logits, other.states)
    network = other.network.copy()
  }

  func copy() -> any LanguageReader { RecurrentReader(self) }
  func begin() -> any LanguageReading { Reading(reader: self) }

  private struct Reading: LanguageReading {
    let reader: RecurrentReader
    private var state = NamedTensors()

    init(reader: RecurrentReader) { self.reader = reader }

    mutating func read(
      _ tokens: [Int], _ body: (_ logits: Tensor, _ range: Range<Int>) throws -> Void
    ) throws {
      for start in stride(from: 0, to: tokens.count, by: RecurrentReader.pieceLength) {
        let range = start..<min(start + RecurrentReader.pieceLength, tokens.count)
        var inputs = state
        inputs[reader.tokens] = Tensor(tokens[range].map { Int64($0) }, shape: [1, range.count])
        let outputs = reader.network(inputs)
        for name in reader.states { state[name] = outputs[name] }
        let logits = outputs[reader.logits].squeezed(0)  // T×V
        try logits.requireNumbers(of: "the text")
        try body(logits, range)
      }
    }
  }
}

/// A network of attention to earlier places, whose keys and values are kept while a text is read, so that nothing is computed twice.
protocol CachingLanguageNetwork: Network {
  /// The most tokens that it can look at.
  var contextLength: Int { get }
  /// Of what is kept for each token, twice: layers, heads, features of a head.
  var cacheShape: Shape { get }
  /// The tokens of one text after others.
  ///
  /// - Parameters:
  ///   - tokens: 1×T.
  ///   - positions: T, whole numbers.
  ///   - hidden: R, a large negative number for places of the room of R where nothing is yet, 0 for the others.
  ///   - keys, values: of the tokens before these, layers×heads×R×features.
  /// - Returns: logits 1×T×V, and the keys and values of these tokens, layers×heads×T×features.
  func continued(
    _ tokens: Tensor, positions: Tensor, hidden: Tensor, keys: Tensor, values: Tensor
  ) -> (logits: Tensor, keys: Tensor, values: Tensor)
}

/// Reads with a ``CachingLanguageNetwork``.
///
/// Plans are for inputs of one size. So tokens are read one by one or many at a time, and the kept keys lie in a room that is as large as a
/// quarter of the context at first and then as all of it.
struct CachingReader: LanguageReader {
  private let network: SharedNetwork
  private let context: Int
  private let shape: Shape

  var contextLength: Int? { context }

  /// Tokens that are read at once where there are several.
  private static let pieceLength = 64

  /// - Parameters:
  ///   - network: of a ``CachingLanguageNetwork``.
  ///   - contextLength, cacheShape: the network's.
  init(_ network: SharedNetwork, contextLength: Int, cacheShape: Shape) {
    (context, shape) = (contextLength, cacheShape)
    self.network = network.piece(
      inputs: ["tokens", "positions", "hidden", "keys", "values"], outputs: ["keys", "values", "logits"]
    ) { (network: any CachingLanguageNetwork, inputs) in
      let (logits, keys, values) = network.continued(
        inputs["tokens"], positions: inputs["positions"], hidden: inputs["hidden"], keys: inputs["keys"],
        values: inputs["values"])
      return ["logits": logits, "keys": keys, "values": values]
    }
  }

  private init(_ other: CachingReader) {
    (context, shape, network) = (other.context, other.shape, other.network.copy())
  }

  func copy() -> any LanguageReader { CachingReader(self) }
  func begin() -> any LanguageReading { Reading(reader: self) }

  /// How many places are made for so many tokens.
  private func room(for count: Int) -> Int {
    let least = max(context / 4, 1)
    return count <= least ? least : context
  }

  private struct Reading: LanguageReading {
    let reader: CachingReader
    /// What the cache is of; their places count from 0.
    private var tokens: [Int] = []
    private var cache: KeyValueCache

    init(reader: CachingReader) {
      self.reader = reader
      cache = KeyValueCache(reader.shape, room: reader.room(for: 0))
    }

    mutating func read(
      _ given: [Int], _ body: (_ logits: Tensor, _ range: Range<Int>) throws -> Void
    ) throws {
      var done = 0
      while done < given.count {
        if tokens.count == reader.context { try slide() }
        let count = min(given.count - done, CachingReader.pieceLength, reader.context - tokens.count)
        let range = done..<done + count
        try body(try step(Array(given[range])), range)
        done += count
      }
    }

    /// Places are learned vectors, so that nothing can be moved: the later half of what is known is read anew from the first place on.
    private mutating func slide() throws {
      let kept = Array(tokens.suffix(reader.context / 2))
      self = Reading(reader: reader)
      try read(kept) { _, _ in }
    }

    /// The logits of what follows each of some tokens, of which there are ``pieceLength`` at most.
    private mutating func step(_ given: [Int]) throws -> Tensor {
      let past = tokens.count
      let size = given.count == 1 ? 1 : CachingReader.pieceLength
      // What fills the piece up comes later than all that counts, and nobody looks at it.
      let filled = given + Array(repeating: 0, count: size - given.count)
      let places = (past..<past + size).map { Int64(min($0, reader.context - 1)) }
      cache.makeRoom(reader.room(for: past))
      let outputs = reader.network([
        "tokens": Tensor(filled.map { Int64($0) }, shape: [1, size]), "positions": Tensor(places),
        "hidden": cache.hidden(from: past), "keys": cache.keys, "values": cache.values,
      ])
      let logits = outputs["logits"].squeezed(0).sliced(0, 0..<given.count)
      try logits.requireNumbers(of: "the text")
      tokens += given
      cache.makeRoom(reader.room(for: tokens.count))
      cache.insert(outputs["keys"], outputs["values"], at: past..<tokens.count)
      return logits
    }
  }
}

/// Keys and values of the tokens that were read, layers×heads×R×features in a room of R places.
private struct KeyValueCache {
  private(set) var (keys, values): (Tensor, Tensor)

  private var room: Int { keys.shape[2] }

  /// - Parameter shape: layers, heads, features of a head.
  init(_ shape: Shape, room: Int) {
    let empty = Tensor.zeros([shape[0], shape[1], room, shape[2]])
    (keys, values) = (empty, empty)
  }

  /// What is added to the scores of the places: none is seen from `count` on.
  func hidden(from count: Int) -> Tensor {
    Tensor((0..<room).map { $0 < count ? 0 : -Float.greatestFiniteMagnitude })
  }

  /// Has places for `room` tokens, those that there are first.
  mutating func makeRoom(_ room: Int) {
    guard room > self.room else { return }
    let missing = Tensor.zeros([keys.shape[0], keys.shape[1], room - self.room, keys.shape[3]])
    keys = concatenate([keys, missing], axis: 2)
    values = concatenate([values, missing], axis: 2)
  }

  /// Writes the first of some keys and values, layers×heads×T×features, to places.
  mutating func insert(_ newKeys: Tensor, _ newValues: Tensor, at places: Range<Int>) {
    Self.insert(newKeys, into: &keys, at: places)
    Self.insert(newValues, into: &values, at: places)
  }

  private static func insert(_ new: Tensor, into kept: inout Tensor, at places: Range<Int>) {
    let (room, given, features) = (kept.shape[2], new.shape[2], new.shape[3])
    let count = places.count * features
    new.withUnsafeValues { source in
      kept.withUnsafeMutableValues { target in
        for head in 0..<new.shape[0] * new.shape[1] {
          let (from, to) = (head * given * features, (head * room + places.lowerBound) * features)
          for index in 0..<count { target[to + index] = source[from + index] }
        }
      }
    }
  }
}
