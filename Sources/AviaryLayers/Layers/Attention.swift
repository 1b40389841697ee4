import AviaryTensors

/// Multi-head attention (Vaswani et al. 2017, section 3.2.2) of width D, with one joint projection for queries, keys and values.
///
/// Names as PyTorch's `MultiheadAttention`.
public final class MultiHeadAttention: Layer, ModeDependent {
  /// 3·D×D: the rows of queries, then keys, then values.
  public let inProjWeight: Parameter
  /// 3·D: of queries, then keys, then values.
  public let inProjBias: Parameter
  /// D to D, after what the heads saw was put together.
  public let outProj: Linear
  /// Into how many heads of D / heads features queries, keys and values are divided.
  public let heads: Int
  /// The share of what is looked at that is dropped while training.
  public let dropout: Float
  /// Only while true is ``dropout`` applied.
  public var isTraining = false

  /// `width` is D, a multiple of `heads`.
  public init(_ width: Int, heads: Int, dropout: Float = 0) {
    require(heads > 0 && width % heads == 0, "a width of \(width) in \(heads) heads")
    inProjWeight = Parameter([3 * width, width], .xavierUniform())
    inProjBias = Parameter([3 * width], .zeros)
    outProj = Linear(width, width)
    self.heads = heads
    self.dropout = dropout
  }

  /// Self-attention: queries, keys and values of N×T×D.
  public func callAsFunction(_ input: Tensor) -> Tensor { self(query: input, key: input, value: input) }

  /// Queries N×T×D look at S keys, and what they see of as many values is N×T×D.
  ///
  /// - Parameters:
  ///   - key, value: N×S×D.
  ///   - keyPaddingMask: N×S, Boolean, true for keys at which nobody may look.
  public func callAsFunction(
    query: Tensor, key: Tensor, value: Tensor, keyPaddingMask: Tensor? = nil
  ) -> Tensor {
    let weights = zip(inProjWeight.value.split(0, into: 3), inProjBias.value.split(0, into: 3))
    let parts = zip([query, key, value], weights).map { input, projection in
      linear(input, projection.0, bias: projection.1).heads(heads)
    }
    let seen = attention(
      parts[0], parts[1], parts[2], bias: keyPaddingMask.map(attentionBias(hiding:)),
      dropout: isTraining ? dropout : 0)
    return outProj(seen.mergedHeads())
  }
}
