import AviaryTensors

// Transformers as in figure 1 of Vaswani et al. 2017: what a part returns is added to what it got, and the sum is normalised, or what the part
// gets is (Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture"). Names as PyTorch's `TransformerEncoderLayer`, `TransformerDecoderLayer` and their stacks. Positions, where there are some, are added to queries and
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
  /// The function between the two linear layers: ReLU in the paper, GELU in many others.
  public var activation: Activation
  /// What is normalised: a part's input, or the sum of its input and its result.
  public var isNormFirst: Bool

  /// `hidden` are the features between the two linear layers.
  public init(
    width: Int, heads: Int, hidden: Int, dropout: Float = 0.1, activation: Activation = .relu,
    isNormFirst: Bool = false
  ) {
    self.width = width
    self.heads = heads
    self.hidden = hidden
    self.dropout = dropout
    self.activation = activation
    self.isNormFirst = isNormFirst
  }

  fileprivate var attention: MultiHeadAttention {
    MultiHeadAttention(width, heads: heads, dropout: dropout)
  }

  fileprivate var residual: Residual {
    Residual(dropout: Dropout(dropout), isNormFirst: isNormFirst)
  }
}

/// How a part of a layer stands beside a residual sum.
private final class Residual: Module {
  let dropout: Dropout
  private let isNormFirst: Bool

  init(dropout: Dropout, isNormFirst: Bool) {
    self.dropout = dropout
    self.isNormFirst = isNormFirst
  }

  func callAsFunction(_ input: Tensor, _ norm: LayerNorm, _ part: (Tensor) -> Tensor) -> Tensor {
    isNormFirst ? input + dropout(part(norm(input))) : norm(input + dropout(part(input)))
  }
}

/// What layers of encoders and decoders have alike.
private protocol TransformerLayer: Module {
  var selfAttn: MultiHeadAttention { get }
  var norm1: LayerNorm { get }
  var linear1: Linear { get }
  var linear2: Linear { get }
  var activation: Activation { get }
  var residual: Residual { get }
}

extension TransformerLayer {
  /// Every place looks at all of them, or at those before it.
  func lookingAtItself(
    _ input: Tensor, positions: Tensor?, keyPaddingMask: Tensor?, isCausal: Bool
  ) -> Tensor {
    residual(input, norm1) { input in
      let placed = input.placed(at: positions)
      return selfAttn(
        query: placed, key: placed, value: input, keyPaddingMask: keyPaddingMask, isCausal: isCausal)
    }
  }

  /// The linear layers at each place.
  func transforming(_ input: Tensor, _ norm: LayerNorm) -> Tensor {
    residual(input, norm) { linear2(residual.dropout(activation(linear1($0)))) }
  }
}

/// Self-attention and two linear layers: N×T×D to N×T×D.
public final class TransformerEncoderLayer: TransformerLayer {
  /// Of every place of the source to all of them.
  public let selfAttn: MultiHeadAttention
  /// D to the hidden features, before the activation function.
  public let linear1: Linear
  /// The hidden features to D.
  public let linear2: Linear
  /// Around self-attention: of the residual sum, or of what goes into it.
  public let norm1: LayerNorm
  /// Around the linear layers.
  public let norm2: LayerNorm
  fileprivate let activation: Activation
  fileprivate let residual: Residual

  /// A layer of these sizes; linear weights are drawn by Xavier's rule.
  public init(_ configuration: TransformerConfiguration) {
    let (width, hidden) = (configuration.width, configuration.hidden)
    selfAttn = configuration.attention
    linear1 = Linear(width, hidden, initializer: .xavierUniform())
    linear2 = Linear(hidden, width, initializer: .xavierUniform())
    norm1 = LayerNorm(width)
    norm2 = LayerNorm(width)
    activation = configuration.activation
    residual = configuration.residual
  }

  /// - Parameters:
  ///   - positions: N×T×D.
  ///   - keyPaddingMask: N×T, Boolean, true for what nobody may look at.
  ///   - isCausal: whether no place looks at a later one.
  public func callAsFunction(
    _ source: Tensor, positions: Tensor? = nil, keyPaddingMask: Tensor? = nil, isCausal: Bool = false
  ) -> Tensor {
    let seen = lookingAtItself(
      source, positions: positions, keyPaddingMask: keyPaddingMask, isCausal: isCausal)
    return transforming(seen, norm2)
  }
}

/// Self-attention, attention to what an encoder made, and two linear layers: N×T×D to N×T×D.
public final class TransformerDecoderLayer: TransformerLayer {
  /// Of every place of the target to all of them.
  public let selfAttn: MultiHeadAttention
  /// Of the target to the encoder's memory.
  public let multiheadAttn: MultiHeadAttention
  /// D to the hidden features, before the activation function.
  public let linear1: Linear
  /// The hidden features to D.
  public let linear2: Linear
  /// Around self-attention: of the residual sum, or of what goes into it.
  public let norm1: LayerNorm
  /// Around attention to the memory.
  public let norm2: LayerNorm
  /// Around the linear layers.
  public let norm3: LayerNorm
  fileprivate let activation: Activation
  fileprivate let residual: Residual

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
    activation = configuration.activation
    residual = configuration.residual
  }

  /// - Parameters:
  ///   - memory: what the encoder made, N×S×D.
  ///   - positions: of the target, N×T×D.
  ///   - memoryPositions: N×S×D.
  ///   - keyPaddingMask: of the target, N×T, Boolean, true for what nobody may look at.
  ///   - memoryKeyPaddingMask: N×S, Boolean, true for what nobody may look at.
  ///   - isCausal: whether no place of the target looks at a later one.
  public func callAsFunction(
    _ target: Tensor, memory: Tensor, positions: Tensor? = nil, memoryPositions: Tensor? = nil,
    keyPaddingMask: Tensor? = nil, memoryKeyPaddingMask: Tensor? = nil, isCausal: Bool = false
  ) -> Tensor {
    let own = lookingAtItself(
      target, positions: positions, keyPaddingMask: keyPaddingMask, isCausal: isCausal)
    let seen = residual(own, norm2) { own in
      multiheadAttn(
        query: own.placed(at: positions), key: memory.placed(at: memoryPositions), value: memory,
        keyPaddingMask: memoryKeyPaddingMask)
    }
    return transforming(seen, norm3)
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
    _ source: Tensor, positions: Tensor? = nil, keyPaddingMask: Tensor? = nil, isCausal: Bool = false
  ) -> Tensor {
    let result = layers.reduce(source) {
      $1($0, positions: positions, keyPaddingMask: keyPaddingMask, isCausal: isCausal)
    }
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
    keyPaddingMask: Tensor? = nil, memoryKeyPaddingMask: Tensor? = nil, isCausal: Bool = false
  ) -> Tensor {
    let result = layers.reduce(target) {
      $1(
        $0, memory: memory, positions: positions, memoryPositions: memoryPositions,
        keyPaddingMask: keyPaddingMask, memoryKeyPaddingMask: memoryKeyPaddingMask, isCausal: isCausal)
    }
    return norm?(result) ?? result
  }
}

extension Tensor {
  fileprivate func placed(at positions: Tensor?) -> Tensor { positions.map { self + $0 } ?? self }
}
