import AviaryLayers
import AviaryTensors
import AviaryVision

/// Show and Tell (Vinyals, Toshev, Bengio & Erhan 2015, "A Neural Image Caption Generator", arXiv:1411.4555, equations 10 to 12): an LSTM that
/// reads a picture as if it were its first word, and then writes.
///
/// `captions` int64 N×T with `<start>` first, `features` N×E (``encode(_:)`` of pictures), and `caption_lengths` (T each where none are given) to
/// `predictions` N×T×V: the logits of what follows the picture, which is `<start>`, and of what follows each word but the last; zeros from a
/// caption's end on. Names and numbers as in the captioner of yunjey's PyTorch tutorial, whose rows are packed, while these stay where they
/// are.
public final class ShowAndTell: Network, CaptioningNetwork {
  /// From pictures to features.
  package let encoder: SentenceEncoder
  /// From features to words.
  package let decoder: SentenceDecoder
  /// What the network was built from.
  public let configuration: Configuration

  /// The sizes of a network.
  public struct Configuration: Sendable, Hashable {
    /// Words that it knows, V.
    public var vocabulary = 9956
    /// What the encoder is made of.
    public var encoder = ResNetBody.resnet152
    /// Width of a picture's and a word's vector, E.
    public var embedding = 256
    /// Width of the LSTM, H.
    public var width = 512

    /// The tutorial's sizes, for the captions of COCO.
    public init() {}
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = .init()) {
    self.configuration = configuration
    encoder = SentenceEncoder(configuration)
    decoder = SentenceDecoder(configuration)
  }

  public var signature: Signature {
    Signature(
      inputs: [
        TensorPort("captions", ["N", "T"], .int64, below: wordCount),
        TensorPort("features", ["N", .fixed(configuration.embedding)]),
        TensorPort("caption_lengths", ["N"], .int64, isOptional: true),
      ],
      outputs: [TensorPort("predictions", ["N", "T", .fixed(wordCount)])])
  }

  public func defaults(for inputs: NamedTensors) -> NamedTensors {
    let shape = inputs["captions"].shape
    return ["caption_lengths": Tensor(repeating: Int64(shape[1]), shape: [shape[0]])]
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let (captions, features) = (inputs["captions"], inputs["features"])
    let count = captions.shape[1]
    let before = decoder.embed(captions).sliced(1, 0..<count - 1)
    let (outputs, _) = decoder.lstm(concatenate([features.expandedAxis(at: 1), before], axis: 1))
    let steps = Tensor((0..<count).map { Int64($0) }, shape: [1, count])
    let isInside = (inputs["caption_lengths"].expandedAxis(at: 1) .> steps).expandedAxis(at: 2)
    return ["predictions": select(isInside, decoder.linear(outputs), Tensor(Float(0)))]
  }

  // MARK: Word by word

  public var wordCount: Int { configuration.vocabulary }

  /// N×1×1×E: one place, which all words look at.
  public func encode(_ image: Tensor) -> Tensor {
    encoder(image).reshaped([image.shape[0], 1, 1, configuration.embedding])
  }

  public func begin(_ features: Tensor) -> (hidden: Tensor, cell: Tensor, keys: Tensor) {
    let picture = features.reshaped([features.shape[0], 1, configuration.embedding])
    let state = decoder.lstm(picture).state
    return (state.hidden[0], state.cell[0], features)
  }

  public func step(
    _ words: Tensor, hidden: Tensor, cell: Tensor, features: Tensor, keys: Tensor
  ) -> (logits: Tensor, attention: Tensor, hidden: Tensor, cell: Tensor) {
    let state = LSTMCell.State(hidden: hidden.expandedAxis(at: 0), cell: cell.expandedAxis(at: 0))
    let (output, next) = decoder.lstm(decoder.embed(words.expandedAxis(at: 1)), state)
    return (
      decoder.linear(output.squeezed(1)), .ones([words.shape[0], 1]), next.hidden[0], next.cell[0]
    )
  }
}

/// A picture as one vector, as wide as a word's.
package final class SentenceEncoder: Layer {
  /// A ``ResNet``'s layers in PyTorch's order, without the linear layer at its end.
  package let resnet: Sequential
  /// From the mean feature to the vector.
  package let linear: Linear
  /// Of the vector.
  package let bn: BatchNorm

  init(_ configuration: ShowAndTell.Configuration) {
    let body = configuration.encoder
    resnet = Sequential(body.layers + [GlobalAvgPool()])
    linear = Linear(body.features, configuration.embedding)
    bn = BatchNorm(configuration.embedding, momentum: 0.01)
  }

  /// N×3×H×W to N×E.
  package func callAsFunction(_ input: Tensor) -> Tensor { bn(linear(resnet(input))) }
}

/// The LSTM that reads the picture and its own words, and writes.
package final class SentenceDecoder: Module {
  /// V×E.
  package let embed: Embedding
  /// From vectors to features.
  package let lstm: LSTM
  /// From features to logits.
  package let linear: Linear

  init(_ configuration: ShowAndTell.Configuration) {
    embed = Embedding(vocabulary: configuration.vocabulary, width: configuration.embedding)
    lstm = LSTM(configuration.embedding, configuration.width)
    linear = Linear(configuration.width, configuration.vocabulary)
  }
}
