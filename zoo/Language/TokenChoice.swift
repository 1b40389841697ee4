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
  ///   - topK: how many of the likeliest may be chosen, with those that are as likely as the last of them; all where nil.
  ///   - topP: of those, the likeliest that together have this probability may be chosen, from more than 0 to 1 (Holtzman et al. 2020, "The
  ///     Curious Case of Neural Text Degeneration"). The one that reaches it is among them, as in Hugging Face's programs; OpenAI's leaves it out.
  case sampled(temperature: Float = 1, topK: Int? = nil, topP: Float? = nil)

  /// The place of a token among its logits, which are finite.
  func choose(_ logits: [Float], using generator: RandomGenerator) -> Int {
    switch self {
    case .greedy:
      return logits.indices.max { logits[$0] < logits[$1] || logits[$0] == logits[$1] && $0 > $1 }!
    case .sampled(let temperature, let topK, let topP):
      let candidates = Self.candidates(logits, temperature, topK, topP)
      var rest = Double(Tensor.uniform([1], using: generator).item())
      for candidate in candidates {
        rest -= candidate.probability
        if rest < 0 { return candidate.place }
      }
      // Rounding may leave a little.
      return candidates.last!.place
    }
  }

  /// The tokens that may be chosen, the likeliest first, so that their sum is what the model is surest of, with their probabilities.
  static func candidates(
    _ logits: [Float], _ temperature: Float, _ topK: Int?, _ topP: Float?
  ) -> [(place: Int, probability: Double)] {
    require(
      temperature > 0 && (topK ?? 1) > 0 && (topP.map { $0 > 0 && $0 <= 1 } ?? true),
      "a choice of \(topK ?? 0) with a probability of \(topP ?? 1) at a temperature of \(temperature)")
    let order = logits.indices.sorted { logits[$0] > logits[$1] || logits[$0] == logits[$1] && $0 < $1 }
    var places = order[...]
    if let topK, topK < order.count {
      let last = logits[order[topK - 1]]
      places = order.prefix { logits[$0] >= last }
    }
    let weights = places.map { exp(Double(logits[$0] - logits[order[0]]) / Double(temperature)) }
    let sum = weights.reduce(0, +)
    guard let topP, topP < 1 else { return zip(places, weights).map { ($0, $1 / sum) } }
    var (kept, before) = (0, 0.0)
    while kept < weights.count, before < Double(topP) * sum {
      before += weights[kept]
      kept += 1
    }
    return zip(places.prefix(kept), weights).map { ($0, $1 / before) }
  }
}
