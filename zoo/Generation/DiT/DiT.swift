import AviaryLayers
import AviaryTensors
import Foundation

/// The diffusion transformer with adaLN-Zero blocks (Peebles & Xie 2023, "Scalable Diffusion Models with Transformers", arXiv:2212.09748,
/// figure 3), under the names of its authors.
///
/// `x` N×C×S×S (for the published weights latents of an autoencoder), integer steps `t` N and classes `y` N, of which the last stands for
/// any, to `noise` N×2C×S×S: the noise, and where between its bounds the variance lies. Without a learned variance N×C×S×S.
public final class DiT: Network {
  /// From patches to tokens.
  public let xEmbedder: PatchProjection
  /// From steps to their embedding.
  public let tEmbedder: StepEmbedder
  /// A row for each class and one for any.
  public let yEmbedder: ClassTable
  /// What each place adds to its token, 1×T×D; it follows from the size.
  public let posEmbed: Buffer
  /// Attention and perceptron, which steps and classes scale and shift.
  public let blocks: [DiTBlock]
  /// From tokens to patches.
  public let finalLayer: DiTFinalLayer
  /// What the network was built from.
  public let configuration: DiTConfiguration

  /// A network with first values, ready to be trained.
  public init(_ configuration: DiTConfiguration) {
    self.configuration = configuration
    let width = configuration.width
    xEmbedder = PatchProjection(configuration)
    tEmbedder = StepEmbedder(width, frequencyShift: 0)
    yEmbedder = ClassTable(configuration)
    posEmbed = Buffer(fixed: configuration.positions())
    blocks = (0..<configuration.depth).map { _ in DiTBlock(configuration) }
    finalLayer = DiTFinalLayer(configuration)
  }

  public var signature: Signature { configuration.signature }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    ["noise": noise(in: inputs["x"], at: inputs["t"], of: inputs["y"])]
  }

  /// The noise, and the variance where it is learned, in samples N×C×S×S at steps N, of classes N.
  public func noise(in sample: Tensor, at steps: Tensor, of classes: Tensor) -> Tensor {
    let condition = tEmbedder(steps) + yEmbedder(classes)  // N×D
    var tokens = xEmbedder(sample) + posEmbed.value  // N×T×D
    for block in blocks { tokens = block(tokens, condition) }
    return configuration.picture(of: finalLayer(tokens, condition))
  }
}

/// What all diffusion transformers are made from.
public struct DiTConfiguration: Sendable, Hashable {
  /// S, height and width of samples, a multiple of the patches'.
  public var inputSize = 32
  /// Height and width of a patch.
  public var patchSize = 2
  /// C of the samples.
  public var inChannels = 4
  /// D of the tokens.
  public var width = 1152
  /// Blocks.
  public var depth = 28
  /// Heads of attention, a divisor of the width.
  public var heads = 16
  /// Units of a perceptron's hidden layer for each of the width.
  public var perceptronRatio: Double = 4
  /// Classes of pictures; there is one more for any.
  public var classes = 1000
  /// Whether there are channels for the variance.
  public var learnsVariance = true

  /// A size of the paper's table 1 with a patch of its own: DiT-XL/2 unless changed.
  public init(width: Int = 1152, depth: Int = 28, heads: Int = 16, patchSize: Int = 2) {
    (self.width, self.depth, self.heads, self.patchSize) = (width, depth, heads, patchSize)
  }

  /// DiT-S.
  public static func small(patch: Int) -> DiTConfiguration {
    DiTConfiguration(width: 384, depth: 12, heads: 6, patchSize: patch)
  }
  /// DiT-B.
  public static func base(patch: Int) -> DiTConfiguration {
    DiTConfiguration(width: 768, depth: 12, heads: 12, patchSize: patch)
  }
  /// DiT-L.
  public static func large(patch: Int) -> DiTConfiguration {
    DiTConfiguration(width: 1024, depth: 24, heads: 16, patchSize: patch)
  }
  /// DiT-XL.
  public static func extraLarge(patch: Int) -> DiTConfiguration { DiTConfiguration(patchSize: patch) }

  /// Channels of the result.
  var outChannels: Int { learnsVariance ? 2 * inChannels : inChannels }
  /// Patches in a row.
  var grid: Int { inputSize / patchSize }
  /// Units of a perceptron's hidden layer.
  var hidden: Int { Int(Double(width) * perceptronRatio) }

  var signature: Signature {
    let size = TensorPort.Axis.fixed(inputSize)
    return Signature(
      inputs: [
        TensorPort("x", ["N", .fixed(inChannels), size, size]), TensorPort("t", ["N"], .int64),
        TensorPort("y", ["N"], .int64, below: classes + 1),
      ],
      outputs: [TensorPort("noise", ["N", .fixed(outChannels), size, size])])
  }

  /// Sines and cosines 1×T×D: the first half of the width from a token's column, the second from its row, each sines and then cosines.
  func positions() -> Tensor {
    let quarter = width / 4
    let frequencies = (0..<quarter).map { pow(10_000, -Double($0) / Double(quarter)) }
    var values: [Float] = []
    values.reserveCapacity(grid * grid * width)
    for row in 0..<grid {
      for column in 0..<grid {
        for place in [column, row] {
          values += frequencies.map { Float(sin(Double(place) * $0)) }
          values += frequencies.map { Float(cos(Double(place) * $0)) }
        }
      }
    }
    return Tensor(values, shape: [1, grid * grid, width])
  }

  /// Patches N×T×(P·P·O), their channels last, to N×O×S×S.
  func picture(of patches: Tensor) -> Tensor {
    let (count, channels) = (patches.shape[0], outChannels)
    return patches.reshaped([count, grid, grid, patchSize, patchSize, channels])
      .permuted([0, 5, 1, 3, 2, 4]).reshaped([count, channels, inputSize, inputSize])
  }
}

extension Tensor {
  /// Normalized tokens N×T×D, scaled and shifted as the parts N×D of a condition say.
  func modulated(shift: Tensor, scale: Tensor, epsilon: Float) -> Tensor {
    let width = [shape[2]]
    let normalized = layerNormalized(self, scale: .ones(width), shift: .zeros(width), epsilon: epsilon)
    return normalized * (scale.expandedAxis(at: 1) + 1) + shift.expandedAxis(at: 1)
  }
}
