import AviaryLayers
import AviaryTensors
import Foundation

/// Self-attention inside windows of M×M tokens, shifted by half a window in every second block (section 3.2). N×H×W×C.
final class WindowAttention: Layer, Container {
  private let qkv: Linear
  private let proj: Linear
  private let position: any RelativePosition
  private let heads: Int
  private let window: Int
  private let isShifted: Bool

  init(
    _ width: Int, heads: Int, window: Int, isShifted: Bool, _ version: Swin.Configuration.Version
  ) {
    let initializer = Initializer.truncatedNormal(standardDeviation: 0.02)
    qkv = Linear(width, 3 * width, initializer: initializer)
    proj = Linear(width, width, initializer: initializer)
    position =
      version == .v1
      ? PositionTable(window: window, heads: heads, width: width / heads)
      : ContinuousPosition(window: window, heads: heads)
    self.heads = heads
    self.window = window
    self.isShifted = isShifted
  }

  /// The positions' parameters are this module's own in checkpoints.
  var namedChildren: [(name: String, module: any Module)] {
    [("", position), ("qkv", qkv), ("proj", proj)]
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let grid = TokenGrid(height: input.shape[1], width: input.shape[2])
    let windows = WindowGrid(grid, side: window, shift: isShifted ? window / 2 : 0)
    let tokens = input.rearranged(windows.order).reshaped([-1, window * window, input.shape[3]])
    let bias = position.projectionBias(qkv.bias!.value)
    let parts = jointProjection(tokens, qkv.weight.value, bias: bias)
      .map { $0.heads(heads) }  // each N·windows×heads×T×D
    let attended = attention(
      position.normalized(parts[0]), position.normalized(parts[1]), parts[2], windows,
      batch: input.shape[0])
    return proj(attended.mergedHeads()).reshaped([input.shape[0], windows.order.count, input.shape[3]])
      .rearranged(windows.inverse).reshaped(input.shape)
  }

  /// Attention with positions and, where windows hold tokens from opposite borders, the mask that keeps these apart.
  private func attention(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, _ windows: WindowGrid, batch: Int
  ) -> Tensor {
    let scores = position.scaled(query.matmul(key.transposed()))
    guard let mask = windows.mask else { return (scores + position.bias()).softmax().matmul(value) }
    let grouped = scores.reshaped([batch, windows.count] + scores.shape.dropFirst())
    return (grouped + (position.bias() + mask)).reshaped(scores.shape).softmax().matmul(value)
  }
}

/// How the positions of two tokens of a window enter their score: what the two versions differ in.
private protocol RelativePosition: Module {
  /// The bias of queries, keys and values as it is used.
  func projectionBias(_ bias: Tensor) -> Tensor
  /// Queries and keys before their product.
  func normalized(_ vectors: Tensor) -> Tensor
  func scaled(_ scores: Tensor) -> Tensor
  /// 1×heads×T×T.
  func bias() -> Tensor
}

/// Equation 4: a trained number for each head and each difference of positions.
private final class PositionTable: RelativePosition {
  let relativePositionBiasTable: Parameter
  let relativePositionIndex: Buffer
  private let window: Int
  private let width: Int

  init(window: Int, heads: Int, width: Int) {
    let differences = (2 * window - 1) * (2 * window - 1)
    relativePositionBiasTable = Parameter([differences, heads], .truncatedNormal(standardDeviation: 0.02))
    relativePositionIndex = Buffer(fixed: .relativePositions(window))
    self.window = window
    self.width = width
  }

  func projectionBias(_ bias: Tensor) -> Tensor { bias }
  func normalized(_ vectors: Tensor) -> Tensor { vectors }
  func scaled(_ scores: Tensor) -> Tensor { scores * (1 / Float(width).squareRoot()) }
  func bias() -> Tensor { relativePositionBiasTable.value.positionBias(window) }
}

/// The second version (section 3.3): cosines in place of products, and a small network of the logarithms of the differences in place of
/// a table, so that windows may grow.
private final class ContinuousPosition: RelativePosition {
  let logitScale: Parameter
  let cpbMlp: Sequential
  let relativeCoordsTable: Buffer
  let relativePositionIndex: Buffer
  private let window: Int
  private static let largestScale: Float = log(100)

  init(window: Int, heads: Int) {
    logitScale = Parameter([heads, 1, 1], .constant(log(10)))
    cpbMlp = Sequential(Linear(2, 512), Activate(.relu), Linear(512, heads, bias: false))
    relativeCoordsTable = Buffer(fixed: .logarithmicDifferences(window))
    relativePositionIndex = Buffer(fixed: .relativePositions(window))
    self.window = window
  }

  /// Keys have none.
  func projectionBias(_ bias: Tensor) -> Tensor {
    let parts = bias.split(0, into: 3)
    return concatenate([parts[0], .zeros(parts[1].shape), parts[2]], axis: 0)
  }

  /// Unit length; vectors shorter than 10⁻¹² are left short.
  func normalized(_ vectors: Tensor) -> Tensor {
    vectors / maximum(vectors.square().sum([-1], keepsAxes: true).squareRoot(), Tensor(Float(1e-12)))
  }

  /// Divided by a trained temperature of at least 0.01.
  func scaled(_ scores: Tensor) -> Tensor {
    scores * minimum(logitScale.value, Tensor(Self.largestScale)).exp()
  }

  func bias() -> Tensor {
    let differences = (2 * window - 1) * (2 * window - 1)
    let table = cpbMlp(relativeCoordsTable.value.reshaped([differences, 2]))
    return table.positionBias(window).sigmoid() * 16
  }
}

extension Tensor {
  /// A table differences×heads as the bias 1×heads×T×T of all pairs of tokens of a window.
  fileprivate func positionBias(_ window: Int) -> Tensor {
    let tokens = window * window
    return taking(Swin.relativePositions(window), axis: 0).reshaped([tokens, tokens, shape[1]])
      .permuted([2, 0, 1]).expandedAxis(at: 0)
  }

  /// ``Swin/relativePositions(_:)`` as checkpoints hold it: int64 [T·T].
  fileprivate static func relativePositions(_ window: Int) -> Tensor {
    Tensor(Swin.relativePositions(window).map(Int64.init))
  }

  /// Differences of positions −(M−1)...M−1 stretched to ±8 and then log₂(1 + |x|)/log₂ 8 with their sign (section 3.3): 1×2M−1×2M−1×2.
  fileprivate static func logarithmicDifferences(_ window: Int) -> Tensor {
    let steps = (1 - window..<window).map { difference -> Float in
      let stretched = Float(difference) / Float(window - 1) * 8
      return (stretched < 0 ? -1 : 1) * log2(stretched.magnitude + 1) / 3
    }
    let pairs = steps.flatMap { row in steps.flatMap { [row, $0] } }
    return Tensor(pairs, shape: [1, steps.count, steps.count, 2])
  }
}

extension Swin {
  /// For each pair of tokens of a window the row of the table that their difference in position has.
  static func relativePositions(_ window: Int) -> [Int] {
    let tokens = (0..<window).flatMap { row in (0..<window).map { (row: row, column: $0) } }
    return tokens.flatMap { a in
      tokens.map { b in
        (a.row - b.row + window - 1) * (2 * window - 1) + a.column - b.column + window - 1
      }
    }
  }
}
