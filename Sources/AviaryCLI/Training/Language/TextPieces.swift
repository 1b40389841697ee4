import Aviary

/// The pieces of a text that a language model learns from: parallel streams for one that carries a state, windows for any other.
enum TextPieces {
  /// - Parameters:
  ///   - length: tokens of a piece.
  ///   - batch: pieces of a batch, and how many streams there are.
  /// - Returns: the pieces, and how many tokens at the end fill none.
  /// - Throws: ``ShortText``.
  static func data(
    _ tokens: [Int], for learner: LanguageLearner, length: Int, batch: Int
  ) throws -> (data: any TrainingData<TextBatch>, leftOver: Int) {
    if learner.hasState {
      let streams = try TextStreams(tokens, streams: batch, length: length)
      return (streams, streams.leftOver)
    }
    let windows = try TextWindows(tokens, length: length)
    return (windows, windows.leftOver)
  }
}
