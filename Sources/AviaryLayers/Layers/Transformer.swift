import AviaryTensors

// Transformers as in figure 1 of Vaswani et al. 2017: what a part returns is added to what it got, and the sum is normalised. Names as
// PyTorch's `TransformerEncoderLayer`, `TransformerDecoderLayer` and their stacks. Positions, where there are some, are added to queries and
// keys of every layer and never to values (Carion et al. 2020, appendix A.3); without them these are PyTorch's layers.

/// The sizes of a transformer's layers.
public struct TransformerConfiguration: Sendable, Hashable {
  /// D.
  public var width: Int
  /// How many heads each attention has; ``width`` is a multiple.
  public var heads: Int
  /// Features between the two linear layers.
  public var hidden: Int
  /// The share of values that are dropped while training.
  public var dropout: Float

  /// `hidden` are the features between the two linear layers.
  public init(width: Int, heads: Int, hidden: Int, dropout: Float = 0.1) {
    self.width = width
    self.heads = heads
    self.hidden = hidden
    self.dropout = dropout
  }

  fileprivate var attention: MultiHeadAttention {
    MultiHeadAttention(width, heads: heads, dropout: dropout)
  }
}

/// Self-attention and two linear layers: N×T×D to N×T×D.
public final class TransformerEncoderLayer: Module {
  /// Of every place of the source to all of them.
  public let selfAttn: MultiHeadAttention
  /// D to the hidden features, before the ReLU.
  public let linear1: Linear
  /// The hidden features to D.
  public let linear2: Linear
  /// After self-attention and its residual sum.
  public let norm1: LayerNorm
  /// After the linear layers and their residual sum.
  public let norm2: LayerNorm
  private let dropout: Dropout

  /// A layer of these sizes; linear weights are drawn by Xavier's rule.
  public init(_ configuration: TransformerConfiguration) {
    let (width, hidden) = (configuration.width, configuration.hidden)
    selfAttn = configuration.attention
    linear1 = Linear(width, hidden, initializer: .xavierUniform())
    linear2 = Linear(hidden, width, initializer: .xavierUniform())
    norm1 = LayerNorm(width)
    norm2 = LayerNorm(width)
    dropout = Dropout(configuration.dropout)
  }

  /// - Parameters:
  ///   - positions: N×T×D.
  ///   - keyPaddingMask: N×T, Boolean, true for what nobody may look at.
  public func callAsFunction(
    _ source: Tensor, positions: Tensor? = nil, keyPaddingMask: Tensor? = nil
  ) -> Tensor {
    let placed = source.placed(at: positions)
    let seen = selfAttn(query: placed, key: placed, value: source, keyPaddingMask: keyPaddingMask)
    let hidden = norm1(source + dropout(seen))
    return norm2(hidden + dropout(linear2(dropout(linear1(hidden).relu()))))
  }
}

/// Self-attention, attention to what an encoder made, and two linear layers: N×T×D to N×T×D.
public final class TransformerDecoderLayer: Module {
  /// Of every place of the target to all of them.
  public let selfAttn: MultiHeadAttention
  /// Of the target to the encoder's memory.
  public let multiheadAttn: MultiHeadAttention
  /// D to the hidden features, before the ReLU.
  public let linear1: Linear
  /// The hidden features to D.
  public let linear2: Linear
  /// After self-attention and its residual sum.
  public let norm1: LayerNorm
  /// After attention to the memory and its residual sum.
  public let norm2: LayerNorm
  /// After the linear layers and their residual sum.
  public let norm3: LayerNorm
  private let dropout: Dropout

  /// A layer of these sizes; linear weights are drawn by Xavier's rule.
  public init(_ configuration: TransformerConfiguration) {
    let (width, hidden) = (configuration.width, configuration.hidden)
    selfAttn = configuration.attention
    multiheadAttn = configuration.attention
    linear1 = Linear(width, hidden, initializer: .xavierUniform())
    linear2 = Linear(hidden, width, initializer: .xavierUniform())
    norm1 = LayerNorm(width)
    norm2 = LayerNorm(width)
    norm3 = LayerNorm(width)
    dropout = Dropout(configuration.dropout)
  }

  /// - Parameters:
  ///   - memory: what the encoder made, N×S×D.
  ///   - positions: of the target, N×T×D.
  ///   - memoryPositions: N×S×D.
  ///   - memoryKeyPaddingMask: N×S, Boolean, true for what nobody may look at.
  public func callAsFunction(
    _ target: Tensor, memory: Tensor, positions: Tensor? = nil, memoryPositions: Tensor? = nil,
    memoryKeyPaddingMask: Tensor? = nil
  ) -> Tensor {
    let placed = target.placed(at: positions)
    let ownSeen = selfAttn(query: placed, key: placed, value: target)
    let own = norm1(target + dropout(ownSeen))
    let seen = multiheadAttn(
      query: own.placed(at: positions), key: memory.placed(at: memoryPositions), value: memory,
      keyPaddingMask: memoryKeyPaddingMask)
    let hidden = norm2(own + dropout(seen))
    return norm3(hidden + dropout(linear2(dropout(linear1(hidden).relu()))))
  }
}

/// Encoder layers one after another, with a normalization at the end where the paper has one.
public final class TransformerEncoder: Module {
  /// From the source to the result.
  public let layers: [TransformerEncoderLayer]
  /// Of the last layer's result; nil where the layers' own are enough.
  public let norm: LayerNorm?

  /// `count` layers of the same sizes; ``norm`` is there where `hasNorm` is true.
  public init(_ configuration: TransformerConfiguration, layers count: Int, hasNorm: Bool = false) {
    layers = (0..<count).map { _ in TransformerEncoderLayer(configuration) }
    norm = hasNorm ? LayerNorm(configuration.width) : nil
  }

  /// As ``TransformerEncoderLayer``.
  public func callAsFunction(
    _ source: Tensor, positions: Tensor? = nil, keyPaddingMask: Tensor? = nil
  ) -> Tensor {
    let result = layers.reduce(source) { $1($0, positions: positions, keyPaddingMask: keyPaddingMask) }
    return norm?(result) ?? result
  }
}

/// Decoder layers one after another, with a normalization at the end where the paper has one.
public final class TransformerDecoder: Module {
  /// From the target to the result.
  public let layers: [TransformerDecoderLayer]
  /// Of the last layer's result; nil where the layers' own are enough.
  public let norm: LayerNorm?

  /// `count` layers of the same sizes; ``norm`` is there where `hasNorm` is true.
  public init(_ configuration: TransformerConfiguration, layers count: Int, hasNorm: Bool = false) {
    layers = (0..<count).map { _ in TransformerDecoderLayer(configuration) }
    norm = hasNorm ? LayerNorm(configuration.width) : nil
  }

  /// As ``TransformerDecoderLayer``.
  public func callAsFunction(
    _ target: Tensor, memory: Tensor, positions: Tensor? = nil, memoryPositions: Tensor? = nil,
    memoryKeyPaddingMask: Tensor? = nil
  ) -> Tensor {
    let result = layers.reduce(target) {
      $1(
        $0, memory: memory, positions: positions, memoryPositions: memoryPositions,
        memoryKeyPaddingMask: memoryKeyPaddingMask)
    }
    return norm?(result) ?? result
  }
}

extension Tensor {
  fileprivate func placed(at positions: Tensor?) -> Tensor { positions.map { self + $0 } ?? self }
}
