import AviaryTensors

/// Multi-head attention (Vaswani et al. 2017, section 3.2.2) of width D: with one joint projection of queries, keys and values, or with one of
/// each where keys and values have widths of their own.
///
/// Names as PyTorch's `MultiheadAttention`.
public final class MultiHeadAttention: Layer, ModeDependent {
  /// 3·D×D: the rows of queries, then keys, then values; nil where these have projections of their own.
  public let inProjWeight: Parameter?
  /// D×D, of queries; nil where there is a joint projection.
  public let qProjWeight: Parameter?
  /// D×(width of keys); nil where there is a joint projection.
  public let kProjWeight: Parameter?
  /// D×(width of values); nil where there is a joint projection.
  public let vProjWeight: Parameter?
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

  /// `width` is D, a multiple of `heads`; `keys` and `values` are the widths of those, D where nil.
  public init(_ width: Int, heads: Int, dropout: Float = 0, keys: Int? = nil, values: Int? = nil) {
    require(heads > 0 && width % heads == 0, "a width of \(width) in \(heads) heads")
    let isJoint = (keys ?? width) == width && (values ?? width) == width
    func projection(_ inputs: Int) -> Parameter? {
      isJoint ? nil : Parameter([width, inputs], .xavierUniform())
    }
    inProjWeight = isJoint ? Parameter([3 * width, width], .xavierUniform()) : nil
    qProjWeight = projection(width)
    kProjWeight = projection(keys ?? width)
    vProjWeight = projection(values ?? width)
    inProjBias = Parameter([3 * width], .zeros)
    outProj = Linear(width, width)
    self.heads = heads
    self.dropout = dropout
  }

  /// Self-attention: queries, keys and values of N×T×D.
  public func callAsFunction(_ input: Tensor) -> Tensor { self(query: input, key: input, value: input) }

  /// Queries N×T×D look at S keys, and what they see of as many values is N×T×D: self-attention where all are one tensor, cross-attention
  /// otherwise.
  ///
  /// - Parameters:
  ///   - key, value: N×S×(D or their own width).
  ///   - keyPaddingMask: N×S, Boolean, true for keys at which nobody may look.
  ///   - bias: added to the scores, T×S or N×1×T×S or N×heads×T×S.
  ///   - isCausal: whether no query looks at a later place; T is at most S, and the last query's place that of the last key.
  public func callAsFunction(
    query: Tensor, key: Tensor, value: Tensor, keyPaddingMask: Tensor? = nil, bias: Tensor? = nil,
    isCausal: Bool = false
  ) -> Tensor {
    let projected = zip(zip([query, key, value], weights), inProjBias.value.split(0, into: 3))
    let parts = projected.map { linear($0.0, $0.1, bias: $1).heads(heads) }
    var biases = [keyPaddingMask.map(attentionBias(hiding:)), bias].compactMap(\.self)
    if isCausal { biases.append(causalBias(query.shape[1], key.shape[1])) }
    let seen = attention(
      parts[0], parts[1], parts[2],
      bias: biases.dropFirst().reduce(biases.first) { sum, bias in sum.map { $0 + bias } },
      dropout: isTraining ? dropout : 0)
    return outProj(seen.mergedHeads())
  }

  /// Of queries, keys and values.
  private var weights: [Tensor] {
    inProjWeight?.value.split(0, into: 3)
      ?? [qProjWeight, kProjWeight, vProjWeight].compactMap { $0?.value }
  }
}
