/// A name map as it stands in a JSON file.
struct NameMapDocument: Codable, Hashable, Sendable {
  /// What the map is for, in one line.
  var summary: String
  /// Whose names they are: `keras` for canonical Keras names from any of its formats (`conv1/kernel`), else any word (`timm`), and the
  /// names are as they are in the file.
  var theirs: String
  /// Layer names that Keras counts up in one program: `conv2d_17` is taken as its number among the file's, from 0.
  var automaticNames: [String]?
  var rules: [Rule]
  /// Their layers in the order of their model, for formats that load by position. A list inside the list is gone through once per set of
  /// numbers in its names: all layers of block 1, then all of block 2.
  var order: [OrderEntry]?

  struct Rule: Codable, Hashable, Sendable {
    var theirs: String
    var ours: String
    /// The rule is for a layer, and for each weight such a layer has.
    var layer: LayerKind?
    /// The rule is for one tensor, which is laid out like the kernel of such a layer; otherwise it is taken as it is.
    var like: LayerKind?
    /// For a dense layer after a flatten: channels, height and width before it.
    var flattened: [Int]?
    /// For a depthwise convolution, where it is not 1.
    var multiplier: Int?
    /// Our tensor is several of theirs of one shape, their rows one below the other: what stands for the `*` in their names, from the top.
    var stacked: [String]?
    /// The rule is for LSTM cells that are one kernel and one bias there: a `*` stands for those, and here for `weight_ih`, `weight_hh`,
    /// `bias_ih` and `bias_hh`.
    var lstm: LSTMCell?
    /// The rule is for a recurrent layer of Keras: its name there, and here one with a `*` as with `lstm`.
    var recurrent: KerasRecurrentLayers.Kind?
  }

  /// What another framework calls the tensors of an LSTM cell, and what it adds to one of them.
  struct LSTMCell: Codable, Hashable, Sendable {
    var kernel: String
    var bias: String
    /// Added to the forget gate's bias when the cell is run; 0 where it is absent.
    var forgetBias: Float?

    private enum CodingKeys: String, CodingKey {
      case kernel, bias
      case forgetBias = "forget_bias"
    }
  }

  /// Whether they are Keras' names, which its formats spell in several ways.
  var isKeras: Bool { theirs == "keras" }

  enum OrderEntry: Codable, Hashable, Sendable {
    case layer(String)
    case group([String])

    init(from decoder: Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let name = try? container.decode(String.self) {
        self = .layer(name)
      } else {
        self = .group(try container.decode([String].self))
      }
    }

    func encode(to encoder: Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .layer(let name): try container.encode(name)
      case .group(let names): try container.encode(names)
      }
    }

    var layers: [String] {
      switch self {
      case .layer(let name): [name]
      case .group(let names): names
      }
    }
  }
}

/// The kinds of layer whose weights have the same names in every model.
enum LayerKind: String, Codable, Sendable {
  case convolution, convolutionTranspose, depthwise, dense, pointwiseAsDense, unitConvolution
  /// A convolution of Keras 1 on Theano: channels first, kernels flipped.
  case theanoConvolution
  /// A depthwise and a pointwise convolution, which are layers called `depthwise` and `pointwise` here.
  case separable
  case batchNorm, layerNorm, embedding
  /// Keras' `Normalization`: the statistics of a data set.
  case normalization

  /// Their name and ours of each weight.
  var weights: [(theirs: String, ours: String)] {
    switch self {
    case .convolution, .convolutionTranspose, .theanoConvolution, .depthwise, .dense, .pointwiseAsDense,
      .unitConvolution:
      [("kernel", "weight"), ("bias", "bias")]
    case .separable:
      [
        ("depthwise_kernel", "depthwise.weight"), ("pointwise_kernel", "pointwise.weight"),
        ("bias", "pointwise.bias"),
      ]
    case .batchNorm:
      [
        ("gamma", "weight"), ("beta", "bias"), ("moving_mean", "running_mean"),
        ("moving_variance", "running_var"),
      ]
    case .layerNorm: [("gamma", "weight"), ("beta", "bias")]
    case .embedding: [("embeddings", "weight")]
    case .normalization: [("mean", "mean"), ("variance", "variance"), ("count", "count")]
    }
  }

  /// The layer's class in Keras, in snake case.
  var kerasClass: String {
    switch self {
    case .convolution, .theanoConvolution, .pointwiseAsDense: "conv2d"
    case .convolutionTranspose: "conv2d_transpose"
    case .unitConvolution: "conv1d"
    case .depthwise: "depthwise_conv2d"
    case .separable: "separable_conv2d"
    case .dense: "dense"
    case .batchNorm: "batch_normalization"
    case .layerNorm: "layer_normalization"
    case .embedding: "embedding"
    case .normalization: "normalization"
    }
  }

  /// How the weight at a place of ``weights`` is laid out.
  func transform(for rule: NameMapDocument.Rule, weight position: Int) throws -> LayoutTransform {
    switch (self, position) {
    case (_, 0): try transform(for: rule)
    case (.separable, 1): .convolution
    default: .identity
    }
  }

  /// How the first weight of such a layer is laid out.
  func transform(for rule: NameMapDocument.Rule) throws -> LayoutTransform {
    switch self {
    case .convolution: return .convolution
    case .convolutionTranspose: return .convolutionTranspose
    case .depthwise, .separable: return .depthwise(multiplier: rule.multiplier ?? 1)
    case .dense:
      guard let flattened = rule.flattened else { return .dense }
      guard flattened.count == 3, flattened.allSatisfy({ (1...65_536).contains($0) }) else {
        throw WeightsError(.malformed, "\(rule.theirs.quoted): flattened needs channels, height and width")
      }
      return .denseAfterFlatten(channels: flattened[0], height: flattened[1], width: flattened[2])
    case .pointwiseAsDense: return .pointwiseAsDense
    case .unitConvolution: return .unitConvolution
    case .theanoConvolution: return .flipped
    case .batchNorm, .layerNorm, .embedding, .normalization: return .identity
    }
  }
}
