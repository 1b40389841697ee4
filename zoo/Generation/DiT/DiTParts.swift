import AviaryLayers
import AviaryTensors

/// From patches of a picture to tokens.
public final class PatchProjection: Layer {
  /// A kernel as large as a patch, without overlap.
  public let proj: Conv2d

  init(_ configuration: DiTConfiguration) {
    proj = Conv2d(
      configuration.inChannels, configuration.width, kernel: Extents(configuration.patchSize),
      stride: Extents(configuration.patchSize))
  }

  /// N×C×S×S to N×T×D, row by row.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    let features = proj(input)  // N×D×G×G
    return features.reshaped([features.shape[0], features.shape[1], -1]).transposed()
  }
}

/// From time steps to their embedding.
public final class StepEmbedder: Module {
  /// Two linear maps with SiLU between them.
  public let mlp: Sequential
  private let features: TimeFeatures

  /// Width of the sines and cosines.
  static let frequencyWidth = 256

  init(_ width: Int, frequencyShift: Int) {
    mlp = Sequential(Linear(Self.frequencyWidth, width), Activate(.silu), Linear(width, width))
    features = TimeFeatures(
      width: Self.frequencyWidth, order: .cosineFirst, frequencyShift: frequencyShift)
  }

  /// Steps N to N×D.
  public func callAsFunction(_ steps: Tensor) -> Tensor { mlp(features(steps)) }
}

/// A row for each class, and one for any.
public final class ClassTable: Module {
  /// K+1 × D.
  public let embeddingTable: Embedding

  init(_ configuration: DiTConfiguration) {
    embeddingTable = Embedding(vocabulary: configuration.classes + 1, width: configuration.width)
  }

  /// Classes N to N×D.
  public func callAsFunction(_ classes: Tensor) -> Tensor { embeddingTable(classes) }
}

/// What a condition makes of tokens: SiLU and a linear map to as many parts as are needed.
public final class Modulation: Module, Container {
  private let linear: Linear
  private let count: Int

  init(_ width: Int, parts: Int) {
    linear = Linear(width, parts * width)
    count = parts
  }

  /// The linear map is the second of a sequence.
  public var namedChildren: [(name: String, module: any Module)] { [("1", linear)] }

  /// A condition N×D to parts N×D.
  public func callAsFunction(_ condition: Tensor) -> [Tensor] {
    linear(Activation.silu(condition)).split(1, into: count)
  }
}

/// Self-attention with one projection to queries, keys and values.
public final class DiTAttention: Layer {
  /// From tokens to all three, side by side.
  public let qkv: Linear
  /// From what was looked at.
  public let proj: Linear
  private let heads: Int

  init(_ configuration: DiTConfiguration) {
    qkv = Linear(configuration.width, 3 * configuration.width)
    proj = Linear(configuration.width, configuration.width)
    heads = configuration.heads
  }

  /// N×T×D to the same.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    let parts = qkv(input).split(2, into: 3).map { $0.heads(heads) }
    return proj(attention(parts[0], parts[1], parts[2]).mergedHeads())
  }
}

/// Two linear maps with GELU, approximated by tanh, between them.
public final class DiTPerceptron: Layer {
  /// To the hidden units.
  public let fc1: Linear
  /// Back to the width.
  public let fc2: Linear

  init(_ configuration: DiTConfiguration) {
    fc1 = Linear(configuration.width, configuration.hidden)
    fc2 = Linear(configuration.hidden, configuration.width)
  }

  /// N×T×D to the same.
  public func callAsFunction(_ input: Tensor) -> Tensor { fc2(Activation.geluTanh(fc1(input))) }
}

/// A block whose two branches a condition shifts, scales and lets through (figure 3, "adaLN-Zero").
public final class DiTBlock: Module, Container {
  private let attention: DiTAttention
  private let perceptron: DiTPerceptron
  private let modulation: Modulation

  init(_ configuration: DiTConfiguration) {
    attention = DiTAttention(configuration)
    perceptron = DiTPerceptron(configuration)
    modulation = Modulation(configuration.width, parts: 6)
  }

  public var namedChildren: [(name: String, module: any Module)] {
    [("attn", attention), ("mlp", perceptron), ("adaLN_modulation", modulation)]
  }

  /// Of both normalizations.
  static let epsilon: Float = 1e-6

  /// Tokens N×T×D and a condition N×D to tokens.
  public func callAsFunction(_ input: Tensor, _ condition: Tensor) -> Tensor {
    let parts = modulation(condition)
    let looked = attention(input.modulated(shift: parts[0], scale: parts[1], epsilon: Self.epsilon))
    let middle = input + looked * parts[2].expandedAxis(at: 1)
    let thought = perceptron(middle.modulated(shift: parts[3], scale: parts[4], epsilon: Self.epsilon))
    return middle + thought * parts[5].expandedAxis(at: 1)
  }
}

/// From tokens to patches.
public final class DiTFinalLayer: Module, Container {
  private let linear: Linear
  private let modulation: Modulation

  init(_ configuration: DiTConfiguration) {
    linear = Linear(
      configuration.width, configuration.patchSize * configuration.patchSize * configuration.outChannels)
    modulation = Modulation(configuration.width, parts: 2)
  }

  public var namedChildren: [(name: String, module: any Module)] {
    [("linear", linear), ("adaLN_modulation", modulation)]
  }

  /// N×T×D to N×T×(P·P·O).
  public func callAsFunction(_ input: Tensor, _ condition: Tensor) -> Tensor {
    let parts = modulation(condition)
    return linear(input.modulated(shift: parts[0], scale: parts[1], epsilon: DiTBlock.epsilon))
  }
}
