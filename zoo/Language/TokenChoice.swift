import AviaryTensors
import Foundation

/// How the next token is chosen from the logits of all.
public enum TokenChoice: Sendable, Hashable {
  /// The likeliest, of equally likely ones the first.
  case greedy
  /// By chance.
  ///
  /// - Parameters:
  ///   - temperature: what logits are divided by, more than 0: below 1 likely tokens become likelier.
  ///   - topK: how many of the likeliest may be chosen; all where nil.
  case sampled(temperature: Float = 1, topK: Int? = nil)

  /// The place of a token among its logits, which are finite.
  func choose(_ logits: [Float], using generator: RandomGenerator) -> Int {
    switch self {
    case .greedy:
      return logits.indices.max { logits[$0] < logits[$1] || logits[$0] == logits[$1] && $0 > $1 }!
    case .sampled(let temperature, let topK):
      require(
        temperature > 0 && (topK ?? 1) > 0, "a choice of \(topK ?? 0) at a temperature of \(temperature)")
      // The likeliest first, so that the sum below is what the model is surest of.
      let order = logits.indices.sorted { logits[$0] > logits[$1] || logits[$0] == logits[$1] && $0 < $1 }
      let candidates = order.prefix(topK ?? order.count)
      let weights = candidates.map { exp(Double(logits[$0] - logits[order[0]]) / Double(temperature)) }
      var rest = Double(Tensor.uniform([1], using: generator).item()) * weights.reduce(0, +)
      for (candidate, weight) in zip(candidates, weights) {
        rest -= weight
        if rest < 0 { return candidate }
      }
      // Rounding may leave a little.
      return candidates.last!
    }
  }
}
