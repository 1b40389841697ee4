import AviaryTensors

/// The likeliest sequences of words, as far as looking at so many at a time finds them: each step goes on from the best ones with the best
/// words; those that end are put aside, and as many fewer are looked at from then on.
///
/// What counts is the sum of log p, as in the public tutorial on Show, Attend and Tell; ``isNormalized`` divides it by the number of words, so
/// that long captions are not at a disadvantage.
struct BeamSearch {
  /// How many are looked at; 1 is greedy.
  var width = 5
  /// Words of a caption, its end included, after which the best one that has no end is taken.
  var maximumLength = 50
  /// Whether sums are divided by the number of words.
  var isNormalized = false

  /// A sequence of words.
  struct Hypothesis: Sendable {
    /// Without the start; with the end where it has one.
    var words: [Int] = []
    /// The sum of log p of the words.
    var score: Float = 0
    /// Where the network looked at each word, h·w numbers that add up to 1.
    var attention: [[Float]] = []
    /// Whether it came to an end.
    var isComplete = false
  }

  /// What the network is asked for: to go on from some of the rows of the time before by a word each.
  ///
  /// There are equally many rows of each text, one text after another, so that one call of a network serves all. What is asked for only to
  /// make that so, or of a text that has all its sequences, is not looked at.
  struct Rows {
    /// The texts, by their numbers from 0 in the beginning: all at first, and half as many when so many have ended.
    let texts: [Int]
    /// Rows of the time before; the first time there was one of each text.
    let parents: [Int]
    /// The last word of each.
    let words: [Int]
  }

  /// What the network makes of the last words of ``Rows``.
  struct Step {
    /// log p of each word, K×V.
    let logProbabilities: [[Float]]
    /// K×(h·w).
    let attention: [[Float]]
  }

  /// The best sequence of one text.
  ///
  /// - Parameters:
  ///   - advance: goes on from some of the hypotheses that it was called with the last time (`parents`, places among them; the first time there is
  ///     one, 0) by the given words.
  func best(
    start: Int, end: Int, advance: (_ parents: [Int], _ words: [Int]) throws -> Step
  ) rethrows -> Hypothesis {
    try best(1, start: start, end: end) { try advance($0.parents, $0.words) }[0]
  }

  /// The best sequence of each of `count` texts, looked for at the same time; each is what it would be alone.
  func best(
    _ count: Int, start: Int, end: Int, advance: (Rows) throws -> Step
  ) rethrows -> [Hypothesis] {
    var beams = (0..<count).map { _ in Beam(start: start) }
    var (texts, lanes) = (Array(0..<count), 1)
    for _ in 0..<maximumLength {
      let active = texts.filter { !beams[$0].hasEnded }
      if active.isEmpty { break }
      let places = Dictionary(uniqueKeysWithValues: texts.enumerated().map { ($1, $0) })
      // Each time that texts leave, what a network keeps of the others is moved, and networks are compiled for each number: so half leave at once.
      var size = texts.count
      while active.count <= size / 2 { size /= 2 }
      let kept =
        size == texts.count ? texts : active + texts.filter { beams[$0].hasEnded }.prefix(size - active.count)
      let room = active.map { beams[$0].open.count }.max() ?? 1
      var (parents, words): ([Int], [Int]) = ([], [])
      for text in kept {
        for lane in 0..<room {
          let lane = min(lane, beams[text].open.count - 1)
          parents.append((places[text] ?? 0) * lanes + min(beams[text].parents[lane], lanes - 1))
          words.append(beams[text].words[lane])
        }
      }
      let step = try advance(Rows(texts: kept, parents: parents, words: words))
      (texts, lanes) = (kept, room)
      for (place, text) in texts.enumerated() where !beams[text].hasEnded {
        extend(&beams[text], by: step, from: place * lanes, end: end)
      }
    }
    // Of equals the first.
    return beams.map { beam in
      let found = beam.complete.isEmpty ? beam.open : beam.complete
      return found.dropFirst().reduce(found[0]) { best, next in worth(next) > worth(best) ? next : best }
    }
  }

  /// The hypotheses of one text.
  private struct Beam {
    var open = [Hypothesis()]
    var complete: [Hypothesis] = []
    var hasEnded = false
    /// From which of the hypotheses of the time before the open ones go on.
    var parents = [0]
    /// The last words of the open ones.
    var words: [Int]

    init(start: Int) { words = [start] }
  }

  /// Goes on from the open hypotheses, whose rows begin at `row`.
  private func extend(_ beam: inout Beam, by step: Step, from row: Int, end: Int) {
    let room = width - beam.complete.count
    var candidates: [(score: Float, parent: Int, word: Int)] = []
    for (parent, hypothesis) in beam.open.enumerated() {
      let scores = step.logProbabilities[row + parent]
      candidates += best(scores, count: room).map { (hypothesis.score + scores[$0], parent, $0) }
    }
    // Of equals the first, as places count.
    candidates.sort { ($1.score, $0.parent, $0.word) < ($0.score, $1.parent, $1.word) }
    let extended = candidates.prefix(room).map { candidate in
      var longer = beam.open[candidate.parent]
      longer.words.append(candidate.word)
      longer.score = candidate.score
      longer.attention.append(step.attention[row + candidate.parent])
      longer.isComplete = candidate.word == end
      return (candidate, longer)
    }
    beam.complete += extended.map(\.1).filter(\.isComplete)
    let rest = extended.filter { !$0.1.isComplete }
    guard !rest.isEmpty, beam.complete.count < width else {
      beam.hasEnded = true
      return
    }
    beam.open = rest.map(\.1)
    (beam.parents, beam.words) = (rest.map(\.0.parent), rest.map(\.0.word))
  }

  private func worth(_ hypothesis: Hypothesis) -> Float {
    isNormalized ? hypothesis.score / Float(max(hypothesis.words.count, 1)) : hypothesis.score
  }

  /// The places of the largest values, the largest first, of equals the first.
  private func best(_ values: [Float], count: Int) -> [Int] {
    var best: [Int] = []
    for place in values.indices where best.count < count || values[place] > values[best[best.count - 1]] {
      let position = best.firstIndex { values[$0] < values[place] } ?? best.count
      best.insert(place, at: position)
      if best.count > count { best.removeLast() }
    }
    return best
  }
}

extension Tensor {
  /// The rows of a matrix.
  var rows: [[Float]] {
    let values = values()
    let width = shape[1]
    return (0..<shape[0]).map { Array(values[$0 * width..<($0 + 1) * width]) }
  }

  /// Some parts along the first axis.
  func rows(_ places: [Int]) -> Tensor { concatenate(places.map { sliced(0, $0..<$0 + 1) }, axis: 0) }
}
