import AviaryTensors

/// Multi-head self-attention (Vaswani et al. 2017, section 3.2.2) of N×T×D, with one joint projection for queries, keys and values.
///
/// Names as PyTorch's `MultiheadAttention`.
public final class MultiHeadAttention: Layer {
  /// 3·D×D: the rows of queries, then keys, then values.
  public let inProjWeight: Parameter
  public let inProjBias: Parameter
  public let outProj: Linear
  public let heads: Int

  public init(_ width: Int, heads: Int) {
    require(heads > 0 && width % heads == 0, "a width of \(width) in \(heads) heads")
    inProjWeight = Parameter([3 * width, width], .xavierUniform())
    inProjBias = Parameter([3 * width], .zeros)
    outProj = Linear(width, width)
    self.heads = heads
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    let parts = jointProjection(input, inProjWeight.value, bias: inProjBias.value).map { $0.heads(heads) }
    return outProj(attention(parts[0], parts[1], parts[2]).mergedHeads())
  }
}
