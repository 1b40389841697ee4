import AviaryLayers
import AviaryTensors

/// Translation by an encoder and a decoder that are recurrences: without attention all that the decoder knows of the text is the state it begins with
/// (Sutskever et al. 2014, "Sequence to Sequence Learning with Neural Networks", with the gated units of Cho et al. 2014); with it, it looks at
/// places of the text before each token (Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align and Translate",
/// arXiv:1409.0473).
///
/// `source` int64 N×S and `target` int64 N×T with the mark of the beginning first to `logits` N×T×V of the token after each, and with attention
/// `attention` N×T×S. Both kinds have the encoder of the second paper, which reads from both ends, so that attention is all that differs. Gates are
/// PyTorch's (see ``GRUCell/Reset``), and the output is one layer of state, context and last token where that paper has a maxout layer.
public final class RecurrentTranslator: Network, TranslationNetwork {
  /// The sizes of a network.
  public struct Configuration: Sendable, Hashable {
    /// Tokens that it reads.
    public var source = 30_000
    /// Tokens that it writes, with those that mark beginning and end.
    public var target = 30_000
    /// Width of a token's vector.
    public var embedding = 620
    /// H, units of each recurrence.
    public var width = 1000
    /// How the decoder looks at the text.
    public var attention = Attention.additive

    /// How a decoder looks at the text.
    public enum Attention: String, Sendable, Hashable, CaseIterable {
      /// Not at all: Sutskever's.
      case none
      /// By a layer of its state and of each place: Bahdanau's.
      case additive
    }

    /// The sizes of Bahdanau's RNNsearch.
    public init() {}
  }

  /// From tokens to a vector for each place.
  package let encoder: TranslationEncoder
  /// From vectors to tokens.
  package let decoder: TranslationDecoder
  /// What the network was built from.
  public let configuration: Configuration

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = .init()) {
    self.configuration = configuration
    encoder = TranslationEncoder(configuration)
    decoder = TranslationDecoder(configuration)
  }

  public var signature: Signature {
    var outputs = [TensorPort("logits", ["N", "T", .fixed(targetCount)])]
    if hasAttention { outputs.append(TensorPort("attention", ["N", "T", "S"])) }
    return Signature(
      inputs: [
        TensorPort("source", ["N", "S"], .int64, below: sourceCount),
        TensorPort("target", ["N", "T"], .int64, below: targetCount),
      ], outputs: outputs)
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let (logits, attention) = teach(inputs["source"], target: inputs["target"])
    var outputs: NamedTensors = ["logits": logits]
    outputs[ifPresent: "attention"] = attention
    return outputs
  }

  // MARK: Token by token

  public var sourceCount: Int { configuration.source }
  public var targetCount: Int { configuration.target }
  public var hasAttention: Bool { configuration.attention != .none }

  public func encode(_ source: Tensor, lengths: [Int]?) -> (annotations: Tensor, state: Tensor) {
    let (annotations, ends) = encoder(source, lengths: lengths)
    return (annotations, decoder.begin(ends))
  }

  public func step(
    _ words: Tensor, state: Tensor, annotations: Tensor, padding: Tensor?
  ) -> (logits: Tensor, attention: Tensor?, state: Tensor) {
    decoder.step(words, state: state, annotations: annotations, padding: padding)
  }
}

/// Section 3.2: what each token is, with all before it and all behind it.
package final class TranslationEncoder: Module {
  /// A vector for each token, V×m.
  package let embedding: Embedding
  /// From both ends.
  package let gru: GRU

  init(_ configuration: RecurrentTranslator.Configuration) {
    embedding = Embedding(vocabulary: configuration.source, width: configuration.embedding)
    gru = GRU(configuration.embedding, configuration.width, isBidirectional: true)
  }

  /// N×S to N×S×2H and the last states of both passes, N×2H.
  func callAsFunction(_ source: Tensor, lengths: [Int]?) -> (annotations: Tensor, ends: Tensor) {
    let (annotations, state) = gru(embedding(source), lengths: lengths)
    return (annotations, concatenate([state.hidden.selected(0, 0), state.hidden.selected(0, 1)], axis: 1))
  }
}

/// Section 3.1: the recurrence that writes.
package final class TranslationDecoder: Module {
  /// A vector for each token, V×m.
  package let embedding: Embedding
  /// From the encoder's last states to the first one here, through tanh.
  package let bridge: Linear
  /// Where to look; nil where only the state tells of the text.
  package let attention: AdditiveAttention?
  /// The recurrence on a token's vector and what is looked at.
  package let gru: GRUCell
  /// From state, context and the last token to logits.
  package let fc: Linear

  init(_ configuration: RecurrentTranslator.Configuration) {
    let (embedding, width) = (configuration.embedding, configuration.width)
    self.embedding = Embedding(vocabulary: configuration.target, width: embedding)
    bridge = Linear(2 * width, width)
    attention =
      configuration.attention == .additive
      ? AdditiveAttention(queries: width, keys: 2 * width, width: width) : nil
    let context = attention == nil ? 0 : 2 * width
    gru = GRUCell(embedding + context, width)
    fc = Linear(width + context + embedding, configuration.target)
  }

  /// The first state, N×H.
  func begin(_ ends: Tensor) -> Tensor { bridge(ends).tanh() }

  func step(
    _ words: Tensor, state: Tensor, annotations: Tensor, padding: Tensor?
  ) -> (logits: Tensor, attention: Tensor?, state: Tensor) {
    let word = embedding(words.expandedAxis(at: 1)).squeezed(1)  // K×m
    let count = words.shape[0]
    let seen = attention.map {
      let queries = state.reshaped([annotations.shape[0], -1, state.shape[1]])  // N×K/N×H
      return $0(query: queries, key: annotations, keyPaddingMask: padding)
    }
    let context = seen.map { [$0.context.reshaped([count, -1])] } ?? []  // K×2H
    let next = gru(concatenate([word] + context, axis: 1), HiddenState(hidden: state)).hidden
    let logits = fc(concatenate([next] + context + [word], axis: 1))
    return (logits, seen?.shares.reshaped([count, -1]), next)
  }
}
