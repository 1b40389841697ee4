import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// Vision Transformer (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
/// arXiv:2010.11929, figure 1).
///
/// Input N×3×224×224, and no other size until it is resized: positions are learned. Names as torchvision's.
public final class VisionTransformer: ResizableModel, Container {
  /// The embedding of patches, a stage for each encoder block, the class token's normalization, the classifier.
  public let stages: [Stage]
  private let embedding: PatchEmbedding

  /// A row of table 1; tiny and small are of Touvron et al. 2021 ("Training data-efficient image transformers", arXiv:2012.12877, table 1).
  public struct Configuration: Sendable, Hashable {
    /// P, the side of a patch in pixels.
    public let patch: Int
    /// L, the encoder blocks.
    public let layers: Int
    /// D.
    public let width: Int
    /// Attention heads of a block.
    public let heads: Int
    /// Height and width of the input in pixels, a multiple of P.
    public var side = 224

    /// Width of the hidden layer of an MLP.
    var hidden: Int { 4 * width }
    /// Patches, and the class token.
    var tokens: Int { (side / patch) * (side / patch) + 1 }

    /// ViT-Ti/16: D = 192.
    public static let tiny16 = Configuration(patch: 16, layers: 12, width: 192, heads: 3)
    /// ViT-S/16: D = 384.
    public static let small16 = Configuration(patch: 16, layers: 12, width: 384, heads: 6)
    /// ViT-B/16: D = 768.
    public static let base16 = Configuration(patch: 16, layers: 12, width: 768, heads: 12)
    /// ViT-B/32: D = 768, a quarter of ``base16``'s patches.
    public static let base32 = Configuration(patch: 32, layers: 12, width: 768, heads: 12)
    /// ViT-L/16: D = 1024.
    public static let large16 = Configuration(patch: 16, layers: 24, width: 1024, heads: 16)
    /// ViT-L/32: D = 1024, a quarter of ``large16``'s patches.
    public static let large32 = Configuration(patch: 32, layers: 24, width: 1024, heads: 16)
  }

  /// A network with first values; the classifier's are zeros.
  public init(_ configuration: Configuration, classes: Int = 1000) {
    let width = configuration.width
    let blocks = (0..<configuration.layers).map { index in
      Stage(
        "block\(index + 1)",
        [("encoder.layers.encoder_layer_\(index)", TransformerBlock(configuration))])
    }
    embedding = PatchEmbedding(configuration)
    stages =
      [Stage("embedding", [("", embedding)])] + blocks + [
        Stage("norm", [("", ClassToken()), ("encoder.ln", LayerNorm(width, epsilon: 1e-6))]),
        Stage("classifier", [("heads.head", Linear(width, classes, initializer: .zeros))]),
      ]
  }

  /// The layers of all stages under torchvision's names.
  public var namedChildren: [(name: String, module: any Module)] {
    stages.flatMap(\.layers).map { ($0.name, $0.layer) }
  }

  public var spatialMean: any Layer { TokenMean() }

  public var sideStep: Int { embedding.patch }
  public var side: Int { embedding.encoder.grid * embedding.patch }

  public func resize(to side: Int) { embedding.encoder.resample(to: side / embedding.patch) }

  public func side(of archive: WeightArchive) -> Int? {
    guard let shape = archive.spec("encoder.pos_embedding")?.shape, shape.count == 3, shape[1] > 1 else {
      return nil
    }
    let grid = Int(Double(shape[1] - 1).squareRoot())
    return grid * grid == shape[1] - 1 ? grid * embedding.patch : nil
  }
}

/// Equation 1: patches as tokens behind a class token, plus their positions. N×3×H×W to N×T×D.
final class PatchEmbedding: Layer {
  let classToken: Parameter
  let convProj: Conv2d
  let encoder: Positions
  let patch: Int

  /// A vector for the class token, then one for each place of a square grid.
  final class Positions: Module {
    private(set) var posEmbedding: Parameter

    init(_ tokens: Int, _ width: Int) {
      posEmbedding = Parameter([1, tokens, width], .normal(standardDeviation: 0.02))
    }

    /// Tokens per row.
    var grid: Int { Int(Double(posEmbedding.shape[1] - 1).squareRoot().rounded()) }

    /// Section 3.2: the positions of another grid by bicubic interpolation, with aligned corners as torchvision's
    /// `interpolate_embeddings`; others resample with antialiasing.
    func resample(to side: Int) {
      let (tokens, width, grid) = (posEmbedding.value, posEmbedding.shape[2], grid)
      guard side != grid else { return }
      let places = tokens.sliced(1, 1..<tokens.shape[1]).transposed().reshaped([1, width, grid, grid])
      let resampled = places.interpolated(to: [side, side], .cubic(alignsCorners: true))
        .reshaped([1, width, side * side]).transposed()
      let isFrozen = posEmbedding.isFrozen
      posEmbedding = Parameter([1, side * side + 1, width], .zeros)
      posEmbedding.value = concatenate([tokens.sliced(1, 0..<1), resampled], axis: 1)
      if isFrozen { freeze() }
    }
  }

  init(_ configuration: VisionTransformer.Configuration) {
    let width = configuration.width
    patch = configuration.patch
    classToken = Parameter([1, 1, width], .zeros)
    // A linear map of the flattened patch, as the paper has it, is a convolution that does not overlap.
    convProj = Conv2d(
      3, width, kernel: Extents(patch), stride: Extents(patch),
      initializer: .truncatedNormal(standardDeviation: 1 / Float(3 * patch * patch).squareRoot()))
    encoder = Positions(configuration.tokens, width)
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let patches = convProj(input).flattened(from: 2).transposed()  // N×T−1×D
    let (batch, width) = (patches.shape[0], patches.shape[2])
    let tokens = concatenate([classToken.value.expanded(to: [batch, 1, width]), patches], axis: 1)
    return tokens + encoder.posEmbedding.value
  }
}

/// Equations 2 and 3: attention and an MLP, each behind a normalization and beside a residual. N×T×D.
final class TransformerBlock: Layer, Container {
  let norm1: LayerNorm
  let attention: MultiHeadAttention
  let norm2: LayerNorm
  let mlp: Sequential

  init(_ configuration: VisionTransformer.Configuration) {
    norm1 = LayerNorm(configuration.width, epsilon: 1e-6)
    attention = MultiHeadAttention(configuration.width, heads: configuration.heads)
    norm2 = LayerNorm(configuration.width, epsilon: 1e-6)
    mlp = .perceptron(configuration.width, hidden: configuration.hidden)
  }

  var namedChildren: [(name: String, module: any Module)] {
    [("ln_1", norm1), ("self_attention", attention), ("ln_2", norm2), ("mlp", mlp)]
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let attended = input + attention(norm1(input))
    return attended + mlp(norm2(attended))
  }
}

extension Sequential {
  /// The MLP of transformer blocks: two linear layers with a GELU between them; dropout has the places 2 and 4 in checkpoints.
  static func perceptron(_ width: Int, hidden: Int) -> Sequential {
    Sequential(named: [
      ("0", Linear(width, hidden, initializer: .xavierUniform())), ("1", Activate(.gelu)),
      ("3", Linear(hidden, width, initializer: .xavierUniform())),
    ])
  }
}

/// The first token of N×T×D: equation 4.
final class ClassToken: Layer {
  func callAsFunction(_ input: Tensor) -> Tensor { input.selected(1, 0) }
}

extension VisionTransformer {
  /// The rows of table 1 that torchvision and timm have.
  static let entries: [ZooEntry] = [
    ("vit_ti_16", .tiny16), ("vit_s_16", .small16), ("vit_b_16", .base16), ("vit_b_32", .base32),
    ("vit_l_16", .large16), ("vit_l_32", .large32),
  ].map { (name: String, configuration: Configuration) in
    let make: @Sendable (Int) -> any StagedModel = { VisionTransformer(configuration, classes: $0) }
    let torchvision = Dialect("tv_v1", configuration.torchvision, make: make)
    let timm = Dialect("timm_augreg", nameMaps: ["timm_vit"], .augReg, make: make)
    return ZooEntry(name, configuration.width < 768 ? [timm] : [torchvision, timm])
  }
}

extension VisionTransformer.Configuration {
  /// torchvision resizes for its large model to 242 and not 256.
  fileprivate var torchvision: Preprocessing {
    self == .large16 ? .torchvision.sized(resize: .shortSide(242), crop: 224) : .torchvision
  }
}

extension Preprocessing {
  /// What the checkpoints of Steiner et al. 2022 ("How to train your ViT?", arXiv:2106.10270) expect: −1...1, a centre crop of 0.9.
  fileprivate static let augReg = Preprocessing(
    resize: .shortSide(248), interpolation: .bicubic, crop: 224, divisor: 127.5, mean: [1, 1, 1])
}
