/// Merges the pairs of one word: the one of lowest rank first, everywhere in the word from left to right, and then the next.
///
/// Candidates wait in a heap, so that a word of n bytes takes n log n steps: a text may be one long word.
struct PairMerging {
  typealias Ranks = [ByteLevelBPE.Pair: (rank: Int, token: Int)]

  /// A pair that stood at a place when it was found.
  private struct Candidate {
    let rank: Int
    let place: Int
    let pair: ByteLevelBPE.Pair
    let token: Int

    func comes(before other: Candidate) -> Bool { (rank, place) < (other.rank, other.place) }
  }

  /// The token at each place; nil where it became a part of one before it.
  private var tokens: [Int?]
  /// The place of the token after, and of that before; as many as there are tokens, and −1, where there is none.
  private var (after, before): ([Int], [Int])
  private var heap: [Candidate] = []
  private let ranks: Ranks

  init(_ tokens: [Int], _ ranks: Ranks) {
    self.tokens = tokens
    self.ranks = ranks
    after = Array(1..<tokens.count + 1)
    before = Array(-1..<tokens.count - 1)
  }

  /// The tokens that no pair is left of.
  mutating func merged() -> [Int] {
    for place in tokens.indices {
      if let candidate = find(at: place) { push(candidate) }
    }
    while let rank = heap.first?.rank {
      // A pair that is new now waits until this one is merged everywhere.
      var found: [Candidate] = []
      while let candidate = heap.first, candidate.rank == rank {
        pop()
        merge(candidate, &found)
      }
      for candidate in found { push(candidate) }
    }
    return tokens.compactMap(\.self)
  }

  private func find(at place: Int) -> Candidate? {
    guard place >= 0, after[place] < tokens.count, let first = tokens[place],
      let second = tokens[after[place]]
    else { return nil }
    let pair = ByteLevelBPE.Pair(first: first, second: second)
    return ranks[pair].map { Candidate(rank: $0.rank, place: place, pair: pair, token: $0.token) }
  }

  private mutating func merge(_ candidate: Candidate, _ found: inout [Candidate]) {
    let place = candidate.place
    // Another merge may have taken one of the two.
    guard tokens[place] == candidate.pair.first, after[place] < tokens.count,
      tokens[after[place]] == candidate.pair.second
    else { return }
    tokens[place] = candidate.token
    tokens[after[place]] = nil
    after[place] = after[after[place]]
    if after[place] < tokens.count { before[after[place]] = place }
    found += [find(at: before[place]), find(at: place)].compactMap(\.self)
  }

  private mutating func push(_ candidate: Candidate) {
    heap.append(candidate)
    var child = heap.count - 1
    while child > 0, heap[child].comes(before: heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func pop() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      let children = (2 * parent + 1..<2 * parent + 3).filter { $0 < heap.count }
      guard let child = children.min(by: { heap[$0].comes(before: heap[$1]) }),
        heap[child].comes(before: heap[parent])
      else { return }
      heap.swapAt(child, parent)
      parent = child
    }
  }
}
