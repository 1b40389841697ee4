import AviaryTensors

/// Additive attention (Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align and Translate", appendix A.1.2): a query s
/// looks at keys h by the scores vᵀ tanh(W s + U h).
public final class AdditiveAttention: Module {
  /// W, of queries, Dq to A.
  public let query: Linear
  /// U, of keys, Dk to A.
  public let key: Linear
  /// v, from A to a score; without a bias, which no share would show.
  public let score: Linear

  /// Widths of queries (`queries`) and keys (`keys`), and A (`width`).
  public init(queries: Int, keys: Int, width: Int) {
    query = Linear(queries, width)
    key = Linear(keys, width)
    score = Linear(width, 1, bias: false)
  }

  /// Queries N×T×Dq look at S keys N×S×Dk, and what they see of as many values N×S×D, by default the keys, is N×T×D.
  ///
  /// - Parameter keyPaddingMask: N×S, Boolean, true for keys at which nobody may look.
  /// - Returns: `context`, what is seen, and `shares` N×T×S, how much of each, which add up to 1.
  public func callAsFunction(
    query: Tensor, key: Tensor, value: Tensor? = nil, keyPaddingMask: Tensor? = nil
  ) -> (context: Tensor, shares: Tensor) {
    let both = self.query(query).expandedAxis(at: 2) + self.key(key).expandedAxis(at: 1)  // N×T×S×A
    var scores = score(both.tanh()).squeezed(3)
    if let mask = keyPaddingMask { scores = scores + attentionBias(hiding: mask).squeezed(1) }
    let shares = scores.softmax()
    return (shares.matmul(value ?? key), shares)
  }
}
