import AviaryTensors

/// Experts of which a gate chooses a few for each token (Shazeer et al. 2017, "Outrageously Large Neural Networks: The Sparsely-Gated
/// Mixture-of-Experts Layer"; Fedus et al. 2022, "Switch Transformers").
///
/// Without noise and without a capacity: every token reaches every expert that is chosen for it.
public final class MixtureOfExperts<Expert: Layer>: Module {
  /// What the chosen experts' results are multiplied by.
  public enum Gating: String, Sendable, Hashable, CaseIterable {
    /// The softmax over the chosen experts' scores, which adds up to 1 (Shazeer et al. 2017, equation 3).
    case overChosen
    /// The chosen experts' part of the softmax over all (Switch Transformers, equation 2).
    case overAll
  }

  /// A score per expert, D to E, without a bias.
  public let gate: Linear
  /// E layers from D to D.
  public let experts: [Expert]
  /// How many are chosen for a token.
  public let chosenCount: Int
  /// How their results are weighed.
  public let gating: Gating

  /// `count` experts that `makeExpert` makes, of which `chosen` are chosen for each token of `width` features.
  public init(
    _ width: Int, experts count: Int, chosen: Int, gating: Gating = .overChosen, makeExpert: () -> Expert
  ) {
    require(1...max(count, 1) ~= chosen, "\(chosen) of \(count) experts are chosen")
    gate = Linear(width, count, bias: false)
    experts = (0..<count).map { _ in makeExpert() }
    chosenCount = chosen
    self.gating = gating
  }

  /// Tokens …×D to as many, and the load-balancing loss of these tokens (Switch Transformers, equations 4 to 6): E · Σ f·P over the experts, f being
  /// the share of choices that fell on one and P the mean of its probability. It is 1 where all experts are alike, and more where some are
  /// preferred.
  public func callAsFunction(_ input: Tensor) -> (output: Tensor, balance: Tensor) {
    require(input.count > 0, "experts were asked about \(input.shape.shapeText) tokens")
    let tokens = input.reshaped([-1, input.shape[input.rank - 1]])
    let scores = gate(tokens)  // K×E for K tokens
    let probabilities = scores.softmax()
    let (best, chosen) = (gating == .overChosen ? scores : probabilities).topK(chosenCount)
    let shares = gating == .overChosen ? best.softmax() : best  // K×chosen
    let weights = Tensor.zeros(scores.shape).scatterAdded(-1, chosen, shares)
    let choices = Tensor.zeros(scores.shape).scatterAdded(-1, chosen, .ones(chosen.shape))
    let balance =
      (choices.mean([0]) * probabilities.mean([0])).sum() * (Float(experts.count) / Float(chosenCount))
    return (mixed(tokens, weights, chosen).reshaped(input.shape), balance)
  }

  /// What the experts make of tokens K×D, times their weights K×E.
  private func mixed(_ tokens: Tensor, _ weights: Tensor, _ chosen: Tensor) -> Tensor {
    let parts = experts.enumerated().compactMap { index, expert -> Tensor? in
      let weight = weights.sliced(1, index..<index + 1)  // K×1
      // While shapes are traced nobody knows who is chosen for what: all experts see all tokens, most of them for nothing.
      guard !chosen.isAbstract else { return expert(tokens) * weight }
      let rows = chosen.rows(holding: index)
      if rows.isEmpty { return nil }
      let part = expert(embedding(tokens, tokens: Tensor(rows))) * embedding(weight, tokens: Tensor(rows))
      let places = Tensor(rows).expandedAxis(at: 1).expanded(to: part.shape)
      return Tensor.zeros(tokens.shape).scatterAdded(0, places, part)
    }
    return parts.dropFirst().reduce(parts[0]) { $0 + $1 }
  }
}

extension Tensor {
  /// The rows of a matrix of numbers in which one stands.
  fileprivate func rows(holding number: Int) -> [Int64] {
    let columns = shape[1]
    return values(of: Int64.self).enumerated().filter { $0.element == Int64(number) }.map {
      Int64($0.offset / columns)
    }
  }
}
