import AviaryTensors

/// Pieces of texts to learn a language from.
public struct TextBatch: Sendable {
  /// The numbers of tokens, int64 N×T.
  public let tokens: Tensor
  /// The token after each, int64 N×T.
  public let targets: Tensor
  /// Whether nothing stands before the pieces; otherwise each goes on where that of its row in the batch before ended.
  public let isBeginning: Bool

  /// Pieces N×T with as many targets.
  public init(tokens: Tensor, targets: Tensor, isBeginning: Bool) {
    require(
      tokens.rank == 2 && tokens.shape == targets.shape,
      "pieces \(tokens.shape.shapeText) with targets \(targets.shape.shapeText)")
    (self.tokens, self.targets, self.isBeginning) = (tokens, targets, isBeginning)
  }

  /// Pieces of `length` tokens that begin at some places of a text.
  init(_ text: [Int32], at places: [Int], length: Int, isBeginning: Bool) {
    func pieces(_ shift: Int) -> Tensor {
      Tensor(
        places.flatMap { text[$0 + shift..<$0 + shift + length].map { Int64($0) } },
        shape: [places.count, length])
    }
    self.init(tokens: pieces(0), targets: pieces(1), isBeginning: isBeginning)
  }
}

/// A text is too short to be learned from.
public struct ShortText: Error, Equatable, CustomStringConvertible {
  /// How many tokens it has.
  public let count: Int
  /// How many it must have.
  public let least: Int
  public var description: String {
    "the text has \(count) tokens, but \(least) are needed for a batch: shorter pieces, or fewer at a time, need fewer"
  }
}
