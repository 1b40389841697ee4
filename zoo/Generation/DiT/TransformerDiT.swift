import AviaryLayers
import AviaryTensors

/// The diffusion transformer as diffusers' `DiTTransformer2DModel` has it: every block embeds steps and classes by itself, and the frequencies
/// of steps are others, so that the authors' weights give slightly other numbers.
///
/// Inputs and outputs as ``DiT``'s.
public final class TransformerDiT: Network {
  /// From patches to tokens.
  public let posEmbed: PatchProjection
  /// Attention and perceptron, which steps and classes scale and shift.
  public let transformerBlocks: [Block]
  /// From the condition to the last shift and scale.
  public let projOut1: Linear
  /// From tokens to patches.
  public let projOut2: Linear
  /// What the network was built from.
  public let configuration: Configuration

  /// What diffusers' `config.json` says, with its defaults where the file says nothing.
  public struct Configuration: Sendable, Hashable {
    /// What the authors' form has too.
    public var sizes = DiTConfiguration()
    /// Whether queries, keys and values have biases.
    public var attentionHasBias = true
    /// ε of the normalization before a perceptron.
    public var normEpsilon: Float = 1e-5

    /// A size of the paper's.
    public init(_ sizes: DiTConfiguration = DiTConfiguration()) { self.sizes = sizes }
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration) {
    self.configuration = configuration
    let sizes = configuration.sizes
    posEmbed = PatchProjection(sizes)
    transformerBlocks = (0..<sizes.depth).map { _ in Block(configuration) }
    projOut1 = Linear(sizes.width, 2 * sizes.width)
    projOut2 = Linear(sizes.width, sizes.patchSize * sizes.patchSize * sizes.outChannels)
    positions = sizes.positions()
  }

  private let positions: Tensor

  public var signature: Signature { configuration.sizes.signature }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let (steps, classes) = (inputs["t"], inputs["y"])
    var tokens = posEmbed(inputs["x"]) + positions
    for block in transformerBlocks { tokens = block(tokens, steps, classes) }
    let condition = transformerBlocks[0].norm1.embedding(steps, classes)
    let parts = projOut1(Activation.silu(condition)).split(1, into: 2)
    let patches = projOut2(tokens.modulated(shift: parts[0], scale: parts[1], epsilon: DiTBlock.epsilon))
    return ["noise": configuration.sizes.picture(of: patches)]
  }

  /// diffusers sets an underscore where ours have none.
  public final class Block: Module {
    /// Embeds steps and classes, and says what they make of tokens.
    public let norm1: Conditioning
    /// Self-attention.
    public let attn1: SelfAttention
    /// The perceptron.
    public let ff: FeedForward
    private let epsilon: Float

    init(_ configuration: Configuration) {
      norm1 = Conditioning(configuration.sizes)
      attn1 = SelfAttention(configuration)
      ff = FeedForward(configuration.sizes)
      epsilon = configuration.normEpsilon
    }

    /// Tokens N×T×D, steps N and classes N to tokens.
    public func callAsFunction(_ input: Tensor, _ steps: Tensor, _ classes: Tensor) -> Tensor {
      let parts = norm1(steps, classes)
      let looked = attn1(input.modulated(shift: parts[0], scale: parts[1], epsilon: DiTBlock.epsilon))
      let middle = input + looked * parts[2].expandedAxis(at: 1)
      let thought = ff(middle.modulated(shift: parts[3], scale: parts[4], epsilon: epsilon))
      return middle + thought * parts[5].expandedAxis(at: 1)
    }
  }
}

extension TransformerDiT: Container {
  public var namedChildren: [(name: String, module: any Module)] {
    [("pos_embed", posEmbed)]
      + transformerBlocks.enumerated().map { ("transformer_blocks.\($0)", $1) }
      + [("proj_out_1", projOut1), ("proj_out_2", projOut2)]
  }
}

extension TransformerDiT {
  /// A block's own embedding of steps and classes, and six parts of it.
  public final class Conditioning: Module, Container {
    private let steps: TimestepEmbedding
    private let table: ClassTable
    private let linear: Linear
    private let features = TimeFeatures(
      width: StepEmbedder.frequencyWidth, order: .cosineFirst, frequencyShift: 1)

    init(_ sizes: DiTConfiguration) {
      steps = TimestepEmbedding(StepEmbedder.frequencyWidth, sizes.width)
      table = ClassTable(sizes)
      linear = Linear(sizes.width, 6 * sizes.width)
    }

    public var namedChildren: [(name: String, module: any Module)] {
      [("emb.timestep_embedder", steps), ("emb.class_embedder", table), ("linear", linear)]
    }

    /// Steps N and classes N to N×D.
    func embedding(_ steps: Tensor, _ classes: Tensor) -> Tensor {
      self.steps(features(steps)) + table(classes)
    }

    /// Steps N and classes N to six parts N×D.
    public func callAsFunction(_ steps: Tensor, _ classes: Tensor) -> [Tensor] {
      linear(Activation.silu(embedding(steps, classes))).split(1, into: 6)
    }
  }

  /// Self-attention with a projection each to queries, keys and values.
  public final class SelfAttention: Layer {
    /// To queries.
    public let toQ: Linear
    /// To keys.
    public let toK: Linear
    /// To values.
    public let toV: Linear
    /// From what was looked at; in a list as diffusers has it.
    public let toOut: [Linear]
    private let heads: Int

    init(_ configuration: Configuration) {
      let width = configuration.sizes.width
      let hasBias = configuration.attentionHasBias
      toQ = Linear(width, width, bias: hasBias)
      toK = Linear(width, width, bias: hasBias)
      toV = Linear(width, width, bias: hasBias)
      toOut = [Linear(width, width)]
      heads = configuration.sizes.heads
    }

    /// N×T×D to the same.
    public func callAsFunction(_ input: Tensor) -> Tensor {
      let looked = attention(toQ(input).heads(heads), toK(input).heads(heads), toV(input).heads(heads))
      return toOut[0](looked.mergedHeads())
    }
  }

  /// Two linear maps with GELU, approximated by tanh, between them.
  public final class FeedForward: Layer, Container {
    private let first: Linear
    private let last: Linear

    init(_ sizes: DiTConfiguration) {
      first = Linear(sizes.width, sizes.hidden)
      last = Linear(sizes.hidden, sizes.width)
    }

    public var namedChildren: [(name: String, module: any Module)] {
      [("net.0.proj", first), ("net.2", last)]
    }

    /// N×T×D to the same.
    public func callAsFunction(_ input: Tensor) -> Tensor { last(Activation.geluTanh(first(input))) }
  }
}
