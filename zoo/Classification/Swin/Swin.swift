import AviaryLayers
import AviaryTensors
import AviaryVision

/// Swin Transformer (Liu et al. 2021, "Hierarchical Vision Transformer using Shifted Windows", arXiv:2103.14030, figure 3), and its second
/// version (Liu et al. 2022, "Scaling Up Capacity and Resolution", arXiv:2111.09883, figure 1).
///
/// Input N×3×H×W; between the layers lie N×H×W×C. Names as torchvision's.
public final class Swin: StagedModel {
  /// The partition into patches and the mergings, each before the blocks of its stage: to N×H/32×W/32×8C.
  package let features: Sequential
  /// Of the last stage's tokens, before their mean.
  package let norm: LayerNorm
  /// From the mean over all tokens to logits.
  package let head: Linear

  /// Section 3.3.
  public struct Configuration: Sendable, Hashable {
    /// What the blocks and the mergings of patches are like.
    public enum Version: Sendable, Hashable {
      /// Normalization before attention and MLP, a trained table of relative positions (arXiv:2103.14030).
      case v1
      /// Normalization behind them, cosine attention, positions by a small network (arXiv:2111.09883).
      case v2
    }

    /// Which paper's blocks it has.
    public let version: Version
    /// C, the width of the first stage.
    public let width: Int
    /// Blocks in each of the four stages; every second one has shifted windows.
    public let depths: [Int]
    /// Attention heads in each stage, one for every 32 channels (section 3.3).
    public let heads: [Int]
    /// M, the side of a window in tokens.
    public let window: Int
    /// The share of residual branches dropped in the last block while training; earlier ones less (section A2.1).
    public let dropPath: Float

    /// Swin-T: C = 96, blocks (2, 2, 6, 2).
    public static let tiny = v1(width: 96, [2, 2, 6, 2], heads: [3, 6, 12, 24], dropPath: 0.2)
    /// Swin-S: C = 96, blocks (2, 2, 18, 2).
    public static let small = v1(width: 96, [2, 2, 18, 2], heads: [3, 6, 12, 24], dropPath: 0.3)
    /// Swin-B: C = 128, blocks (2, 2, 18, 2).
    public static let base = v1(width: 128, [2, 2, 18, 2], heads: [4, 8, 16, 32], dropPath: 0.5)
    /// SwinV2-T for windows of 8×8: C = 96, blocks (2, 2, 6, 2).
    public static let tinyV2 = Configuration(
      version: .v2, width: 96, depths: [2, 2, 6, 2], heads: [3, 6, 12, 24], window: 8, dropPath: 0.2)

    private static func v1(width: Int, _ depths: [Int], heads: [Int], dropPath: Float) -> Configuration {
      Configuration(
        version: .v1, width: width, depths: depths, heads: heads, window: 7, dropPath: dropPath)
    }
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration, classes: Int = 1000) {
    var width = configuration.width
    var layers: [any Layer] = [PatchPartition(width)]
    let last = Float(configuration.depths.reduce(0, +) - 1)
    var block = 0
    for (stage, depth) in configuration.depths.enumerated() {
      if stage > 0 {
        layers.append(PatchMerging(width, configuration.version))
        width *= 2
      }
      layers.append(
        Sequential(
          (0..<depth).map { index in
            defer { block += 1 }
            return SwinBlock(
              width, heads: configuration.heads[stage], isShifted: index % 2 == 1,
              dropPath: configuration.dropPath * Float(block) / last, configuration)
          }))
    }
    features = Sequential(layers)
    norm = LayerNorm(width)
    head = Linear(width, classes, initializer: .truncatedNormal(standardDeviation: 0.02))
  }

  /// The mean over all tokens of N×H×W×C.
  public var spatialMean: any Layer { TokenMean() }

  /// Stages as in the paper: each begins with the partition or merging of patches.
  public var stages: [Stage] {
    (0..<(features.count / 2)).map { index in
      Stage("stage\(index + 1)", "features", features, (2 * index)..<(2 * index + 2))
    } + [
      Stage("norm", [("norm", norm), ("", TokenMean())]),
      Stage("classifier", [("head", head)]),
    ]
  }
}

/// Patches of 4×4 pixels, projected linearly and normalized: N×3×H×W to N×H/4×W/4×C.
final class PatchPartition: Layer, Container {
  let projection: Conv2d
  let norm: LayerNorm

  init(_ width: Int) {
    projection = Conv2d(3, width, kernel: 4, stride: 4)
    norm = LayerNorm(width)
  }

  var namedChildren: [(name: String, module: any Module)] { [("0", projection), ("2", norm)] }

  func callAsFunction(_ input: Tensor) -> Tensor { norm(projection(input).permuted([0, 2, 3, 1])) }
}

/// 2×2 neighbours become one token of twice the width: N×H×W×C to N×H/2×W/2×2C. The second version normalizes last.
final class PatchMerging: Layer {
  let reduction: Linear
  let norm: LayerNorm
  private let version: Swin.Configuration.Version

  init(_ width: Int, _ version: Swin.Configuration.Version) {
    reduction = Linear(
      4 * width, 2 * width, bias: false, initializer: .truncatedNormal(standardDeviation: 0.02))
    norm = LayerNorm(version == .v1 ? 4 * width : 2 * width)
    self.version = version
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let grid = TokenGrid(height: input.shape[1], width: input.shape[2])
    let merged = input.rearranged(grid.quartets).reshaped([
      input.shape[0], (grid.height + 1) / 2, (grid.width + 1) / 2, 4 * input.shape[3],
    ])
    return version == .v1 ? reduction(norm(merged)) : norm(reduction(merged))
  }
}

/// Equation 3 (of the second version's paper: figure 1, residual-post-norm): windowed attention and an MLP beside residuals. N×H×W×C.
final class SwinBlock: Layer {
  let norm1: LayerNorm
  let attn: WindowAttention
  let norm2: LayerNorm
  let mlp: Sequential
  private let dropPath: DropPath
  private let version: Swin.Configuration.Version

  init(_ width: Int, heads: Int, isShifted: Bool, dropPath: Float, _ configuration: Swin.Configuration) {
    norm1 = LayerNorm(width)
    attn = WindowAttention(
      width, heads: heads, window: configuration.window, isShifted: isShifted, configuration.version)
    norm2 = LayerNorm(width)
    mlp = .perceptron(width, hidden: 4 * width)
    self.dropPath = DropPath(dropPath)
    version = configuration.version
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    switch version {
    case .v1:
      let attended = input + dropPath(attn(norm1(input)))
      return attended + dropPath(mlp(norm2(attended)))
    case .v2:
      let attended = input + dropPath(norm1(attn(input)))
      return attended + dropPath(norm2(mlp(attended)))
    }
  }
}

extension Swin {
  /// Section 3.3: variants tiny, small and base, and the second version's tiny one.
  static let entries: [ZooEntry] = [
    entry("swin_t", .tiny, resize: 232), entry("swin_s", .small, resize: 246),
    entry("swin_b", .base, resize: 238), entry("swin_v2_t", .tinyV2, resize: 260, crop: 256),
  ]

  private static func entry(
    _ name: String, _ configuration: Configuration, resize: Int, crop: Int = 224
  ) -> ZooEntry {
    let preprocessing = Preprocessing.torchvision.sized(
      resize: .shortSide(resize), crop: crop, interpolation: .bicubic)
    let make: @Sendable (Int) -> any StagedModel = { Swin(configuration, classes: $0) }
    let timm = Dialect(
      "timm", nameMaps: ["timm_swin"],
      .torchvision.sized(resize: .shortSide(248), crop: crop, interpolation: .bicubic), make: make)
    return ZooEntry(
      name, smallestSide: 32,
      [Dialect("tv_v1", preprocessing, make: make)] + (configuration.version == .v1 ? [timm] : []))
  }
}
