import AviaryLayers
import AviaryTensors
import AviaryVision

/// Show, Attend and Tell (Xu et al. 2015, "Neural Image Caption Generation with Visual Attention", arXiv:1502.03044) with soft attention: an LSTM
/// that looks at some places of the picture before each word.
///
/// `captions` int64 N×T with `<start>` first, `encoder_out` N×h×w×D (``encode(_:)`` of pictures), and `caption_lengths` (T each where none are given)
/// to `predictions` N×(T−1)×V, the logits of the words after each but the last, and `alphas` N×(T−1)×(h·w), where the network looked; zeros from a
/// caption's end on. Names and numbers as in sgrvinod's PyTorch tutorial, whose rows are in the order of lengths, while these stay where they are.
public final class ShowAttendTell: Network, CaptioningNetwork {
  /// From pictures to features.
  package let encoder: CaptionEncoder
  /// From features to words.
  package let decoder: AttentionDecoder
  /// What the network was built from.
  public let configuration: Configuration

  /// The sizes of a network.
  public struct Configuration: Sendable, Hashable {
    /// Words that it knows, V.
    public var vocabulary = 9490
    /// What the encoder is made of.
    public var encoder = Body.resnet101
    /// Features are averaged to a grid of so many rows and columns.
    public var grid = 14
    /// Width of what attention compares.
    public var attention = 512
    /// Width of a word's vector.
    public var embedding = 512
    /// Width of the LSTM, H.
    public var width = 512
    /// The probability that a value of h is zeroed before the logits while training.
    public var dropout: Float = 0.5

    /// What the encoder is made of.
    public enum Body: String, Sendable, Hashable, CaseIterable {
      /// A ``ResNetBody``, 1/32 of the picture's size.
      case resnet18, resnet34, resnet50, resnet101, resnet152
      /// Three convolutions, 1/8 of the picture's size, for pictures of simple forms.
      case plain
    }

    /// D, the width of the encoder's features.
    var features: Int { encoder.resnet?.features ?? 96 }

    /// Small, for what ``SceneGenerator`` says of the simple forms that it draws.
    public static let scenes: Configuration = {
      var configuration = Configuration()
      configuration.vocabulary = sceneWords.count
      (configuration.encoder, configuration.grid) = (.plain, 8)
      (configuration.attention, configuration.embedding, configuration.width) = (96, 48, 192)
      configuration.dropout = 0.2
      return configuration
    }()

    /// All words that drawn scenes are told in.
    static let sceneWords = WordVocabulary(
      of: ["a an left right of above below and nothing"] + SceneShape.allCases.map(\.rawValue)
        + SceneColour.allCases.map(\.rawValue) + SceneTexture.allCases.map(\.rawValue))

    /// The tutorial's sizes, for the captions of COCO.
    public init() {}
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = .init()) {
    self.configuration = configuration
    encoder = CaptionEncoder(configuration)
    decoder = AttentionDecoder(configuration)
  }

  public var signature: Signature {
    let (grid, features) = (configuration.grid, configuration.features)
    return Signature(
      inputs: [
        TensorPort("captions", ["N", "T"], .int64, below: wordCount),
        TensorPort("encoder_out", ["N", .fixed(grid), .fixed(grid), .fixed(features)]),
        TensorPort("caption_lengths", ["N"], .int64, isOptional: true),
      ],
      outputs: [
        TensorPort("predictions", ["N", "T-1", .fixed(wordCount)]),
        TensorPort("alphas", ["N", "T-1", .fixed(grid * grid)]),
      ])
  }

  public func defaults(for inputs: NamedTensors) -> NamedTensors {
    let shape = inputs["captions"].shape
    return ["caption_lengths": Tensor(repeating: Int64(shape[1]), shape: [shape[0]])]
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let (predictions, alphas) = teach(
      inputs["encoder_out"], captions: inputs["captions"], lengths: inputs["caption_lengths"])
    return ["predictions": predictions, "alphas": alphas]
  }

  // MARK: Word by word

  public var wordCount: Int { configuration.vocabulary }

  public func encode(_ image: Tensor) -> Tensor { encoder(image) }

  public func begin(_ features: Tensor) -> (hidden: Tensor, cell: Tensor, keys: Tensor) {
    let places = features.places
    let (hidden, cell) = decoder.begin(places)
    return (hidden, cell, decoder.attention.encoderAtt(places))
  }

  public func step(
    _ words: Tensor, hidden: Tensor, cell: Tensor, features: Tensor, keys: Tensor
  ) -> (logits: Tensor, attention: Tensor, hidden: Tensor, cell: Tensor) {
    decoder.step(
      decoder.embedding(words.expandedAxis(at: 1)).squeezed(1), hidden: hidden, cell: cell,
      places: features.places, keys: keys)
  }
}

/// Section 3.1.1: a vector for each place of a grid over the picture.
package final class CaptionEncoder: Layer {
  /// The body's layers; of a ``ResNet`` in PyTorch's order, without the mean and the linear layer at its end.
  package let resnet: Sequential
  private let grid: AdaptiveAvgPool2d

  init(_ configuration: ShowAttendTell.Configuration) {
    grid = AdaptiveAvgPool2d([configuration.grid, configuration.grid])
    if let body = configuration.encoder.resnet {
      resnet = Sequential(body.layers)
    } else {
      resnet = Sequential(
        [(3, 24), (24, 48), (48, configuration.features)].flatMap { inputs, outputs -> [any Layer] in
          [
            Conv2d(inputs, outputs, kernel: 3, stride: 2, padding: 1, bias: false), BatchNorm(outputs),
            Activate(.relu), Conv2d(outputs, outputs, kernel: 3, padding: 1, bias: false),
            BatchNorm(outputs), Activate(.relu),
          ]
        })
    }
  }

  /// N×3×H×W to N×grid×grid×D.
  package func callAsFunction(_ input: Tensor) -> Tensor { grid(resnet(input)).permuted([0, 2, 3, 1]) }
}

extension ShowAttendTell.Configuration.Body {
  /// What it is otherwise called; nil for ``plain``.
  var resnet: ResNetBody? { ResNetBody(rawValue: rawValue) }
}

/// Section 3.1.2: the LSTM that writes.
package final class AttentionDecoder: Module, ModeDependent {
  /// f_att of equation 4.
  package let attention: SoftAttention
  /// E of equation 1, V×m.
  package let embedding: Embedding
  /// The recurrence of equations 1 to 3 on a word's vector and the context.
  package let decodeStep: LSTMCell
  /// From the mean feature to the first h.
  package let initH: Linear
  /// From the mean feature to the first c.
  package let initC: Linear
  /// β of section 4.2.1: from h to how much of each feature counts.
  package let fBeta: Linear
  /// From h to logits.
  package let fc: Linear
  private let dropout: Float
  package var isTraining = false

  init(_ configuration: ShowAttendTell.Configuration) {
    let features = configuration.features
    let width = configuration.width
    attention = SoftAttention(features, width, configuration.attention)
    embedding = Embedding(vocabulary: configuration.vocabulary, width: configuration.embedding)
    decodeStep = LSTMCell(configuration.embedding + features, width)
    initH = Linear(features, width)
    initC = Linear(features, width)
    fBeta = Linear(width, features)
    fc = Linear(width, configuration.vocabulary)
    dropout = configuration.dropout
    // As the tutorial begins, which learns faster so.
    embedding.weight.value = .uniform(embedding.weight.shape, in: -0.1..<0.1)
    fc.weight.value = .uniform(fc.weight.shape, in: -0.1..<0.1)
    fc.bias?.value = .zeros([configuration.vocabulary])
  }

  /// h and c N×H from the mean of places N×P×D.
  func begin(_ places: Tensor) -> (hidden: Tensor, cell: Tensor) {
    let mean = places.mean([1])
    return (initH(mean), initC(mean))
  }

  /// - Parameters:
  ///   - words: vectors K×m, equally many for each of N pictures.
  ///   - places: N×P×D.
  ///   - keys: N×P×A.
  func step(
    _ words: Tensor, hidden: Tensor, cell: Tensor, places: Tensor, keys: Tensor
  ) -> (logits: Tensor, attention: Tensor, hidden: Tensor, cell: Tensor) {
    let count = words.shape[0]
    let alpha = attention(keys, hidden.reshaped([places.shape[0], -1, hidden.shape[1]]))  // N×K/N×P
    let seen = alpha.matmul(places).reshaped([count, -1])  // K×D
    let context = seen * fBeta(hidden).sigmoid()
    let next = decodeStep(concatenate([words, context], axis: 1), hidden: hidden, cell: cell)
    let kept = isTraining ? next.hidden.dropout(probability: dropout) : next.hidden
    return (fc(kept), alpha.reshaped([count, -1]), next.hidden, next.cell)
  }
}

/// Equations 4 and 5: how much each place counts, by a layer of its features and of h ("additive" attention, Bahdanau et al. 2014).
package final class SoftAttention: Module {
  /// Of the features, D→A.
  package let encoderAtt: Linear
  /// Of h, H→A.
  package let decoderAtt: Linear
  /// From both to a score.
  package let fullAtt: Linear

  init(_ features: Int, _ hidden: Int, _ width: Int) {
    encoderAtt = Linear(features, width)
    decoderAtt = Linear(hidden, width)
    fullAtt = Linear(width, 1)
  }

  /// - Parameters:
  ///   - keys: ``encoderAtt`` of the places, N×P×A, which no step changes.
  ///   - hidden: N×B×H.
  /// - Returns: N×B×P, of which each row adds up to 1.
  func callAsFunction(_ keys: Tensor, _ hidden: Tensor) -> Tensor {
    let both = (keys.expandedAxis(at: 1) + decoderAtt(hidden).expandedAxis(at: 2)).relu()  // N×B×P×A
    return fullAtt(both).squeezed(3).softmax()
  }
}

extension Tensor {
  /// N×h×w×D as N×(h·w)×D.
  fileprivate var places: Tensor { reshaped([shape[0], shape[1] * shape[2], shape[3]]) }
}
