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

  /// What the network makes of the last words of some hypotheses.
  struct Step {
    /// log p of each word, K×V.
    let logProbabilities: [[Float]]
    /// K×(h·w).
    let attention: [[Float]]
  }

  /// The best sequence.
  ///
  /// - Parameters:
  ///   - advance: goes on from some of the hypotheses that it was called with the last time (`parents`, places among them; the first time there is
  ///     one, 0) by the given words.
  func best(
    start: Int, end: Int, advance: (_ parents: [Int], _ words: [Int]) throws -> Step
  ) rethrows -> Hypothesis {
    var (open, complete): ([Hypothesis], [Hypothesis]) = ([Hypothesis()], [])
    var (parents, words) = ([0], [start])
    for _ in 0..<maximumLength {
      let step = try advance(parents, words)
      var candidates: [(score: Float, parent: Int, word: Int)] = []
      for (parent, scores) in step.logProbabilities.enumerated() {
        candidates += best(scores, count: width - complete.count).map {
          (open[parent].score + scores[$0], parent, $0)
        }
      }
      // Of equals the first, as places count.
      candidates.sort { ($1.score, $0.parent, $0.word) < ($0.score, $1.parent, $1.word) }
      let extended = candidates.prefix(width - complete.count).map { candidate in
        var longer = open[candidate.parent]
        longer.words.append(candidate.word)
        longer.score = candidate.score
        longer.attention.append(step.attention[candidate.parent])
        longer.isComplete = candidate.word == end
        return (candidate, longer)
      }
      complete += extended.map(\.1).filter(\.isComplete)
      let rest = extended.filter { !$0.1.isComplete }
      guard !rest.isEmpty, complete.count < width else { break }
      open = rest.map(\.1)
      (parents, words) = (rest.map(\.0.parent), rest.map(\.0.word))
    }
    // Of equals the first.
    let found = complete.isEmpty ? open : complete
    return found.dropFirst().reduce(found[0]) { best, next in worth(next) > worth(best) ? next : best }
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
