import AviaryLayers
import AviaryTensors

/// A language model over characters: embedding, LSTM layers, and a score for each character that may come next (Graves 2013, "Generating
/// Sequences With Recurrent Neural Networks"; Karpathy 2015, "The Unreasonable Effectiveness of Recurrent Neural Networks").
///
/// What it has read is its state, which goes in and comes out: a text may be read in pieces.
public final class CharRNN: Network {
  /// The sizes of a model.
  public struct Configuration: Sendable, Hashable {
    /// Characters that it knows.
    public var vocabulary = 65
    /// Width of a character's vector.
    public var embedding = 128
    /// Units of each LSTM layer.
    public var width = 128
    /// LSTM layers, one on another.
    public var layers = 2

    /// The sizes of ``ml5``.
    public init() {}

    /// ml5's models of one author each: two layers of 128.
    public static let ml5 = Configuration()

    /// A model that learns a megabyte of text on a processor in half an hour.
    public static let shakespeare: Configuration = {
      var configuration = Configuration()
      (configuration.embedding, configuration.width) = (64, 192)
      return configuration
    }()
  }

  /// A vector for each character: N×T to N×T×D.
  package let embedding: Embedding
  /// The recurrent layers, which carry the state.
  package let lstm: LSTM
  /// From the last layer's results to a logit for each character.
  package let fc: Linear
  private let configuration: Configuration

  /// A model with first values, ready to be trained.
  public init(_ configuration: Configuration = .ml5) {
    self.configuration = configuration
    embedding = Embedding(vocabulary: configuration.vocabulary, width: configuration.embedding)
    lstm = LSTM(configuration.embedding, configuration.width, layers: configuration.layers)
    fc = Linear(configuration.width, configuration.vocabulary)
  }

  /// `tokens` and an optional state, `hidden` and `cell`, to `logits` and the state behind them.
  public var signature: Signature {
    let state: [TensorPort.Axis] = [.fixed(configuration.layers), "N", .fixed(configuration.width)]
    return Signature(
      inputs: [
        TensorPort("tokens", ["N", "T"], .int64, below: configuration.vocabulary),
        TensorPort("hidden", state, isOptional: true),
        TensorPort("cell", state, isOptional: true),
      ],
      outputs: [
        TensorPort("logits", ["N", "T", .fixed(configuration.vocabulary)]), TensorPort("hidden", state),
        TensorPort("cell", state),
      ])
  }

  /// A state of zeros: nothing has been read.
  public func defaults(for inputs: NamedTensors) -> NamedTensors {
    let state = lstm.initialState(inputs["tokens"].shape[0])
    return ["hidden": state.hidden, "cell": state.cell]
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let state = LSTM.State(hidden: inputs["hidden"], cell: inputs["cell"])
    let (logits, next) = self(inputs["tokens"], state)
    return ["logits": logits, "hidden": next.hidden, "cell": next.cell]
  }

  /// N×T tokens to N×T×V logits of the token after each.
  public func callAsFunction(_ tokens: Tensor, _ state: LSTM.State? = nil) -> (
    logits: Tensor, state: LSTM.State
  ) {
    let (features, next) = lstm(embedding(tokens), state)
    return (fc(features), next)
  }
}
