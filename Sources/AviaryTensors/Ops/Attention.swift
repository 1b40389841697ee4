/// Scaled dot-product attention (Vaswani et al. 2017, equation 1): softmax(q kᵀ · scale + bias) v.
///
/// - Parameters:
///   - query, key, value: …×T×D; the leading axes (batch, heads) are independent of each other. T of the query may differ from the others'.
///   - scale: 1/√D unless given.
///   - bias: added to the scores …×T×T before the softmax, with broadcasting: positions, and large negative numbers where nobody may look.
public func attention(
  _ query: Tensor, _ key: Tensor, _ value: Tensor, scale: Float? = nil, bias: Tensor? = nil
) -> Tensor {
  let scale = scale ?? 1 / Float(query.shape[query.rank - 1]).squareRoot()
  let scores = query.matmul(key.transposed()).affine(scale: scale, shift: 0)
  return (bias.map { scores + $0 } ?? scores).softmax().matmul(value)
}

extension Tensor {
  /// A last axis of `parts`·H·D as `parts` tensors of N×H×T×D, one matrix per head: what a joint projection of queries, keys and values
  /// (N×T×3·H·D) is taken apart with.
  public func heads(_ count: Int, parts: Int = 1) -> [Tensor] {
    let (batch, length) = (shape[0], shape[1])
    let width = shape[2] / (parts * count)
    let split = reshaped([batch, length, parts, count, width])  // N×T×parts×H×D
    return (0..<parts).map { split.selected(2, $0).permuted([0, 2, 1, 3]) }
  }

  /// N×H×T×D back to N×T×H·D.
  public func mergedHeads() -> Tensor {
    permuted([0, 2, 1, 3]).reshaped([shape[0], shape[2], shape[1] * shape[3]])
  }
}
