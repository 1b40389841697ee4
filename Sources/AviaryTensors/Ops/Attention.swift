/// Scaled dot-product attention (Vaswani et al. 2017, equation 1): softmax(q kᵀ · scale + bias) v.
///
/// - Parameters:
///   - query, key, value: …×T×D; the leading axes (batch, heads) are independent of each other. T of the query may differ from the others'.
///   - scale: 1/√D unless given.
///   - bias: added to the scores …×T×T before the softmax, with broadcasting: positions, and large negative numbers where nobody may look.
///   - dropout: the share of the softmax' results that are dropped, while training.
public func attention(
  _ query: Tensor, _ key: Tensor, _ value: Tensor, scale: Float? = nil, bias: Tensor? = nil,
  dropout: Float = 0
) -> Tensor {
  let scale = scale ?? 1 / Float(query.shape[query.rank - 1]).squareRoot()
  let scores = query.matmul(key.transposed()).affine(scale: scale, shift: 0)
  let shares = (bias.map { scores + $0 } ?? scores).softmax()
  return shares.dropout(probability: dropout).matmul(value)
}

/// The bias N×1×1×T that hides keys from every query of every head where `mask` (N×T, Boolean) holds.
public func attentionBias(hiding mask: Tensor) -> Tensor {
  select(mask, Tensor(hiddenScore), Tensor(Float(0))).reshaped([mask.shape[0], 1, 1, mask.shape[1]])
}

/// The bias T×S that hides from each of T queries the keys behind its own place, the last query's being the last of S keys: no attention to
/// later places (Vaswani et al. 2017, section 3.2.3). S is at least T; the keys before the first query's are those of what was read earlier.
public func causalBias(_ queries: Int, _ keys: Int) -> Tensor {
  require(
    queries > 0 && keys >= queries, "\(queries) queries at the end of \(keys) keys look at no later ones")
  let earlier = keys - queries
  return Tensor([queries, keys]) { bias in
    for query in 0..<queries {
      for key in 0..<keys { bias[query * keys + key] = key > query + earlier ? hiddenScore : 0 }
    }
  }
}

/// Added to a score it is −∞ at most, and where all keys are hidden the shares are numbers nonetheless.
let hiddenScore = -Float.greatestFiniteMagnitude

/// The pieces of one joint projection x Wᵀ + b, W being `parts` matrices one below the other: queries, keys and values of x (N×T×D).
///
/// Each piece is a product of its own: its heads then lie as kernels read them, and nothing is copied.
public func jointProjection(_ x: Tensor, _ weights: Tensor, bias: Tensor, parts: Int = 3) -> [Tensor] {
  zip(weights.split(0, into: parts), bias.split(0, into: parts)).map { linear(x, $0, bias: $1) }
}

extension Tensor {
  /// N×T×H·D as one matrix per head, N×H×T×D.
  public func heads(_ count: Int) -> Tensor {
    reshaped([shape[0], shape[1], count, shape[2] / count]).permuted([0, 2, 1, 3])
  }

  /// N×H×T×D back to N×T×H·D.
  public func mergedHeads() -> Tensor {
    permuted([0, 2, 1, 3]).reshaped([shape[0], shape[2], shape[1] * shape[3]])
  }
}
