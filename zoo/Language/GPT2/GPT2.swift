import AviaryLayers
import AviaryTensors

/// GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"): a transformer's decoder alone, which tells how likely each
/// token is to come next (Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training").
///
/// Names are those of Hugging Face's checkpoints. The matrices of a block are in×out there, and here as well.
public final class GPT2: Network {
  /// The sizes of a model, with the first values of OpenAI's code.
  public struct Configuration: Sendable, Hashable {
    /// Tokens that it knows, V.
    public var vocabulary = 50_257
    /// Places that it can look at, the most tokens of a text.
    public var positions = 1024
    /// D, the features of a token.
    public var width = 768
    /// Blocks, one on another.
    public var layers = 12
    /// Heads of each attention; ``width`` is a multiple.
    public var heads = 12
    /// Features between the two linear maps of a block; four times ``width`` where nil.
    public var hidden: Int?
    /// The function between them.
    public var activation = Activation.geluTanh
    /// Added to the variance before a normalization takes the square root.
    public var epsilon: Float = 1e-5
    /// Whether the vectors of tokens are what results are compared with, too; weights that have both may differ.
    public var tiesHead = true
    /// The shares that are dropped while training: of the sum of token and place, of what is looked at, and of what a block adds.
    public var dropout = Dropouts()

    /// The shares that are dropped while training.
    public struct Dropouts: Sendable, Hashable {
      /// Of the sum of token and place.
      public var embedding: Float = 0.1
      /// Of what is looked at.
      public var attention: Float = 0.1
      /// Of what a block adds to the residual.
      public var residual: Float = 0.1

      /// A tenth of each.
      public init() {}
    }

    /// The sizes of ``small``.
    public init() {}

    private init(_ layers: Int, _ width: Int, _ heads: Int) {
      (self.layers, self.width, self.heads) = (layers, width, heads)
    }

    // Table 2 of the paper; heads have 64 features each.
    /// `gpt2`: 124 million parameters.
    public static let small = Configuration()
    /// `gpt2_medium`: 355 million.
    public static let medium = Configuration(24, 1024, 16)
    /// `gpt2_large`: 774 million.
    public static let large = Configuration(36, 1280, 20)
    /// `gpt2_xl`: 1558 million.
    public static let extraLarge = Configuration(48, 1600, 25)
  }

  /// A vector for each token, V×D.
  package let wte: Embedding
  /// A vector for each place.
  package let wpe: Embedding
  private let drop: Dropout
  /// The blocks.
  package let h: [GPT2Block]
  /// After the last block.
  package let lnF: LayerNorm
  /// From features to logits where the vectors of tokens are not used for that.
  package let lmHead: Linear?
  /// The sizes.
  public let configuration: Configuration

  /// A model with first values, ready to be trained.
  public init(_ configuration: Configuration = .small) {
    let width = configuration.width
    require(
      configuration.heads > 0 && width % configuration.heads == 0,
      "a width of \(width) in \(configuration.heads) heads")
    self.configuration = configuration
    wte = Embedding(vocabulary: configuration.vocabulary, width: width, initializer: .gpt2)
    wpe = Embedding(vocabulary: configuration.positions, width: width, initializer: .gpt2)
    drop = Dropout(configuration.dropout.embedding)
    h = (0..<configuration.layers).map { _ in GPT2Block(configuration) }
    lnF = LayerNorm(width, epsilon: configuration.epsilon)
    lmHead =
      configuration.tiesHead
      ? nil : Linear(width, configuration.vocabulary, bias: false, initializer: .gpt2)
  }

  /// `input_ids` to `logits` of the token after each.
  public var signature: Signature {
    Signature(
      inputs: [TensorPort("input_ids", ["N", "T"], .int64, below: configuration.vocabulary)],
      outputs: [TensorPort("logits", ["N", "T", .fixed(configuration.vocabulary)])])
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors { ["logits": self(inputs["input_ids"])] }

  /// N×T tokens to N×T×V logits of the token after each.
  public func callAsFunction(_ tokens: Tensor) -> Tensor {
    let count = tokens.shape[1]
    require(
      count <= configuration.positions,
      "\(count) tokens were given, but the model looks at \(configuration.positions)")
    let places = wpe.weight.value.sliced(0, 0..<count)
    return logits(h.reduce(drop(wte(tokens) + places)) { $1($0) })
  }

  private func logits(_ features: Tensor) -> Tensor {
    let features = lnF(features)
    return lmHead?(features) ?? linear(features, wte.weight.value)
  }
}

extension GPT2: CachingLanguageNetwork {
  var contextLength: Int { configuration.positions }

  var cacheShape: Shape {
    [configuration.layers, configuration.heads, configuration.width / configuration.heads]
  }

  func continued(
    _ tokens: Tensor, positions: Tensor, hidden: Tensor, keys: Tensor, values: Tensor
  ) -> (logits: Tensor, keys: Tensor, values: Tensor) {
    var features = wte(tokens) + wpe(positions)
    var added: (keys: [Tensor], values: [Tensor]) = ([], [])
    for (layer, block) in h.enumerated() {
      let past = (keys: keys.sliced(0, layer..<layer + 1), values: values.sliced(0, layer..<layer + 1))
      let (result, own) = block(features, past: past, hidden: hidden)
      features = result
      added.keys.append(own.keys)
      added.values.append(own.values)
    }
    return (
      logits(features), concatenate(added.keys, axis: 0), concatenate(added.values, axis: 0)
    )
  }
}

/// Attention and two linear maps, each behind a normalization and beside a residual (section 2.3). N×T×D.
package final class GPT2Block: Module, Container {
  private let norm1: LayerNorm
  private let attention: GPT2Attention
  private let norm2: LayerNorm
  private let mlp: GPT2Perceptron

  init(_ configuration: GPT2.Configuration) {
    norm1 = LayerNorm(configuration.width, epsilon: configuration.epsilon)
    attention = GPT2Attention(configuration)
    norm2 = LayerNorm(configuration.width, epsilon: configuration.epsilon)
    mlp = GPT2Perceptron(configuration)
  }

  package var namedChildren: [(name: String, module: any Module)] {
    [("ln_1", norm1), ("attn", attention), ("ln_2", norm2), ("mlp", mlp)]
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let attended = input + attention(norm1(input))
    return attended + mlp(norm2(attended))
  }

  /// Of one sequence whose earlier keys and values are given, with those of these tokens.
  func callAsFunction(
    _ input: Tensor, past: GPT2Attention.KeysAndValues, hidden: Tensor
  ) -> (Tensor, GPT2Attention.KeysAndValues) {
    let (seen, own) = attention(norm1(input), past: past, hidden: hidden)
    let attended = input + seen
    return (attended + mlp(norm2(attended)), own)
  }
}

/// Attention of each place to itself and those before it.
package final class GPT2Attention: Module, ModeDependent {
  /// Of a sequence, 1×H×T×D/H each.
  typealias KeysAndValues = (keys: Tensor, values: Tensor)

  /// D to queries, keys and values side by side.
  package let cAttn: Conv1DMap
  /// D to D, after what the heads saw was put together.
  package let cProj: Conv1DMap
  private let drop: Dropout
  private let heads: Int
  private let dropout: Float
  package var isTraining = false

  init(_ configuration: GPT2.Configuration) {
    let width = configuration.width
    cAttn = Conv1DMap(width, 3 * width)
    cProj = Conv1DMap(width, width, residuals: configuration.layers)
    drop = Dropout(configuration.dropout.residual)
    heads = configuration.heads
    dropout = configuration.dropout.attention
  }

  private func parts(_ input: Tensor) -> [Tensor] {
    jointProjection(input, cAttn.weight.value.transposed(), bias: cAttn.bias.value).map { $0.heads(heads) }
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let (parts, count) = (parts(input), input.shape[1])
    let seen = AviaryTensors.attention(
      parts[0], parts[1], parts[2], bias: causalBias(count, count), dropout: isTraining ? dropout : 0)
    return drop(cProj(seen.mergedHeads()))
  }

  /// - Parameters:
  ///   - past: of the tokens before these, in a room of R places.
  ///   - hidden: R, a large negative number for places where nothing is yet, 0 for the others.
  /// - Returns: what is seen, and the keys and values of these tokens.
  func callAsFunction(
    _ input: Tensor, past: KeysAndValues, hidden: Tensor
  ) -> (Tensor, KeysAndValues) {
    let (parts, count) = (parts(input), input.shape[1])
    let query = parts[0] * (1 / Float(parts[0].shape[3]).squareRoot())
    // What was read before stays where it is: copying it beside the new keys would take longer than to look at it.
    let earlier = query.matmul(past.keys.transposed()) + hidden
    let own = query.matmul(parts[1].transposed()) + causalBias(count, count)
    let room = hidden.shape[0]
    let shares = concatenate([earlier, own], axis: 3).softmax().split(3, sizes: [room, count])
    let seen = shares[0].matmul(past.values) + shares[1].matmul(parts[2])
    return (cProj(seen.mergedHeads()), (parts[1], parts[2]))
  }
}

/// Two linear maps with a GELU between them.
package final class GPT2Perceptron: Module {
  /// D to the hidden features.
  package let cFc: Conv1DMap
  /// The hidden features to D.
  package let cProj: Conv1DMap
  private let drop: Dropout
  private let activation: Activation

  init(_ configuration: GPT2.Configuration) {
    let hidden = configuration.hidden ?? 4 * configuration.width
    cFc = Conv1DMap(configuration.width, hidden)
    cProj = Conv1DMap(hidden, configuration.width, residuals: configuration.layers)
    drop = Dropout(configuration.dropout.residual)
    activation = configuration.activation
  }

  func callAsFunction(_ input: Tensor) -> Tensor { drop(cProj(activation(cFc(input)))) }
}

/// y = x W + b with weights in×out: what OpenAI's code calls a convolution of width 1.
package final class Conv1DMap: Module {
  /// In×out.
  package let weight: Parameter
  /// One number per output.
  package let bias: Parameter

  /// - Parameter residuals: of how many layers the result is one of two summands; their weights begin smaller.
  init(_ inputs: Int, _ outputs: Int, residuals layers: Int? = nil) {
    let deviation = 0.02 / Float(layers.map { 2 * $0 } ?? 1).squareRoot()
    weight = Parameter([inputs, outputs], .normal(standardDeviation: deviation))
    bias = Parameter([outputs], .zeros)
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    linear(input, weight.value.transposed(), bias: bias.value)
  }
}

extension Initializer {
  fileprivate static let gpt2 = Initializer.normal(standardDeviation: 0.02)
}
