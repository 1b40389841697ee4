import AviaryVision

/// Which true box each of a detector's boxes is to answer with: the one it overlaps most, if that is enough (Ren et al. 2015,
/// arXiv:1506.01497, section 3.1.2).
struct BoxMatcher: Sendable, Hashable {
  /// What a box is to answer with.
  enum Match: Sendable, Hashable {
    /// The true box of this number.
    case object(Int)
    /// That there is nothing.
    case background
    /// Whatever it likes.
    case ignored

    var object: Int? { if case .object(let number) = self { number } else { nil } }
  }

  /// The overlap from which on a box is an object's.
  var least: Float
  /// The overlap below which it is the background's.
  var most: Float
  /// Whether the boxes that overlap an object most are one's however little that is.
  var keepsBest: Bool

  /// A match for each of `boxes`.
  func callAsFunction(_ boxes: [Box], truth: [Box]) -> [Match] {
    if truth.isEmpty { return boxes.map { _ in .background } }
    var bestOfTruth = [Float](repeating: 0, count: truth.count)
    var ofBox: [(object: Int, overlap: Float)] = []
    ofBox.reserveCapacity(boxes.count)
    for box in boxes {
      var best = (object: 0, overlap: Float(-1))
      for (object, other) in truth.enumerated() {
        let overlap = other.iou(box)
        bestOfTruth[object] = max(bestOfTruth[object], overlap)
        if overlap > best.overlap { best = (object, overlap) }
      }
      ofBox.append(best)
    }
    return zip(boxes, ofBox).map { box, best in
      if best.overlap >= least { return .object(best.object) }
      if keepsBest, truth.indices.contains(where: { truth[$0].iou(box) == bestOfTruth[$0] }) {
        return .object(best.object)
      }
      return best.overlap < most ? .background : .ignored
    }
  }
}

/// A few of many boxes to learn from, some of objects and the rest of the background.
struct BalancedSampler: Sendable, Hashable {
  /// Boxes of a picture.
  var count: Int
  /// The share of them that may be objects'.
  var objectShare: Double

  /// Which of the boxes are taken, in ascending order.
  ///
  /// - Parameter choose: the numbers below the given one in random order.
  func callAsFunction(
    _ matches: [BoxMatcher.Match], choosing choose: (Int) -> [Int]
  ) -> (objects: [Int], background: [Int]) {
    let objects = matches.indices.filter { matches[$0].object != nil }
    let background = matches.indices.filter { matches[$0] == .background }
    let objectCount = min(objects.count, Int(Double(count) * objectShare))
    let backgroundCount = min(background.count, count - objectCount)
    func chosen(_ all: [Int], _ count: Int) -> [Int] {
      choose(all.count).prefix(count).map { all[$0] }.sorted()
    }
    return (chosen(objects, objectCount), chosen(background, backgroundCount))
  }
}
