import AviaryTensors

/// A text cut into parallel streams, for networks that carry a state from piece to piece: row n of batch k is piece k of stream n, and goes on
/// where that of batch k − 1 ended (truncated backpropagation through time; Karpathy's char-rnn cuts texts so).
///
/// Batches are wanted in their order, ``ExampleOrder/sequential``, and of as many examples as there are streams.
public struct TextStreams: TrainingData {
  private let text: [Int32]
  /// N, how many streams there are.
  public let streams: Int
  /// T, the tokens of a piece.
  public let length: Int
  /// How many pieces a stream has.
  public let pieces: Int

  /// - Parameter tokens: the numbers of the text's tokens.
  /// - Throws: ``ShortText`` when a stream would not have a whole piece.
  public init(_ tokens: [Int], streams: Int, length: Int) throws(ShortText) {
    require(streams > 0 && length > 0, "\(streams) streams in pieces of \(length)")
    // The last piece's targets end a token behind it.
    let pieces = (tokens.count - 1) / (streams * length)
    guard pieces > 0 else { throw ShortText(count: tokens.count, least: streams * length + 1) }
    text = tokens.map { Int32($0) }
    (self.streams, self.length, self.pieces) = (streams, length, pieces)
  }

  /// Pieces of all streams.
  public var count: Int { pieces * streams }

  /// Tokens at the end that fill no piece of every stream.
  public var leftOver: Int { text.count - 1 - count * length }

  /// Piece k of every stream, for the examples from k·N on, as many as there are streams.
  public func batch(_ indices: [Int]) -> TextBatch {
    let piece = (indices.first ?? 0) / streams
    require(
      piece < pieces && indices == Array(piece * streams..<(piece + 1) * streams),
      "streams are read one piece after another, all \(streams) at a time")
    let places = (0..<streams).map { ($0 * pieces + piece) * length }
    return TextBatch(text, at: places, length: length, isBeginning: piece == 0)
  }
}

/// A text cut into windows that are read in any order, for networks that see no more than a window.
///
/// In a training run the windows of each epoch begin elsewhere, by a shift that seed and epoch decide, so that a token is not always seen after
/// as few others.
public struct TextWindows: VaryingData {
  private let text: [Int32]
  /// T, the tokens of a window.
  public let length: Int
  /// How many windows there are.
  public let count: Int

  /// - Parameter tokens: the numbers of the text's tokens.
  /// - Throws: ``ShortText`` when there is no whole window.
  public init(_ tokens: [Int], length: Int) throws(ShortText) {
    require(length > 0, "windows of \(length)")
    count = (tokens.count - 1) / length
    guard count > 0 else { throw ShortText(count: tokens.count, least: length + 1) }
    text = tokens.map { Int32($0) }
    self.length = length
  }

  /// Tokens at the end that fill no window.
  public var leftOver: Int { text.count - 1 - count * length }

  public func batch(_ indices: [Int]) -> TextBatch { batch(indices, shift: 0) }

  public func batch(_ indices: [Int], epoch: Int, seed: UInt64) -> TextBatch {
    // The last window must end within the text.
    let most = min(length - 1, leftOver)
    let generator = RandomGenerator(seed: seed, path: UInt64(epoch), 1)
    return batch(indices, shift: most > 0 ? generator.integer(in: 0..<most + 1) : 0)
  }

  private func batch(_ indices: [Int], shift: Int) -> TextBatch {
    for index in indices { require(0..<count ~= index, "window \(index) of \(count)") }
    return TextBatch(text, at: indices.map { $0 * length + shift }, length: length, isBeginning: true)
  }
}
