import CThreads
import CVectors

/// A 3×3 convolution by Winograd's F(4×4, 3×3) (Lavin & Gray 2016): each tile of 4×4 results takes 36 multiplications instead of 144.
///
/// oneDNN's kernel transforms all tiles, then multiplies, then transforms back, and its threads read each other's values between these
/// steps. Here a thread takes some tiles through all of them, for as many of the result's channels as there are others to share the tiles
/// with: transformed values stay in its core's cache, and no other thread reads them. 64 channels of 56×56 pixels take 0.40 instead of
/// 0.57 ms, 128 of 28×28 0.36 instead of 0.42; VGG-16 71 instead of 86, ResNet-50 262 instead of 295 for eight images.
struct WinogradLoop: PlannedLoop {
  private let convolution: WinogradConvolution
  private let images: Int
  /// Of an image.
  private let tiles: Int
  /// Ranges of an image's tiles.
  private let groups: Int
  private let inputBlocks: Int
  private let outputBlocks: Int
  /// Floats of a block of an image's channels.
  private let inputLength: Int
  private let outputLength: Int

  /// How many tiles a thread multiplies at a time: as many as there are registers for, fewer where they would not stay in the cache.
  private static func mostTiles(blocks: Int) -> Int { blocks <= 16 ? 28 : 14 }

  /// Nil where oneDNN's kernels have to do it: on other processors, for other geometries and activations.
  init?(_ kernel: ConvolutionKernel, accumulates: Bool, after: EltwiseKernel?) {
    guard kernel.mayUseWinograd, !kernel.input.contains(0), let after = VectorActivation(after),
      after.keepsZero, OneDNN.usesAVX512
    else { return nil }
    let (input, output, padding) = (kernel.input, kernel.output, kernel.geometry.padding.before)
    let across = (output[3] + 3) / 4
    convolution = WinogradConvolution(
      height: Int32(input[2]), width: Int32(input[3]), output_height: Int32(output[2]),
      output_width: Int32(output[3]), top: Int32(padding[0]), left: Int32(padding[1]),
      tiles_across: Int32(across), accumulates: accumulates, after: after)
    images = input[0]
    tiles = across * ((output[2] + 3) / 4)
    inputBlocks = input[1] / ChannelBlocks.size
    outputBlocks = output[1] / ChannelBlocks.size
    inputLength = input[2] * input[3] * ChannelBlocks.size
    outputLength = output[2] * output[3] * ChannelBlocks.size
    let most = Self.mostTiles(blocks: inputBlocks)
    let fewest = (tiles + most - 1) / most
    groups = fewest == 1 ? 1 : ThreadTeam.shared.fairCount(fewest, ofEachOf: images, most: tiles)
  }

  var implementation: String { "winograd:avx512" }

  // MARK: Weights

  /// Filters of O×C×3×3 as the loop reads them, (O/16)×36×C×16: G g Gᵀ of each.
  static func weights(_ filters: Tensor) -> Tensor {
    let (outputs, channels) = (filters.shape[0], filters.shape[1])
    var both: [Float] = []
    for row in filterTransform {
      for column in filterTransform { both += row.flatMap { y in column.map { x in Float(y * x) } } }
    }
    let transformed = filters.cast(to: .float32).reshaped([outputs * channels, 9])
      .matmul(Tensor(both, shape: [36, 9]).transposed())
    return transformed.reshaped([outputs / ChannelBlocks.size, ChannelBlocks.size, channels, 36])
      .permuted([0, 3, 2, 1]).rowMajor()
  }

  /// G for the points 0, ±5/8, ±3/2 and infinity, which `CVectors` has the other matrices for.
  private static let filterTransform: [[Double]] = {
    let points = [0, 0.625, -0.625, 1.5, -1.5]
    let rows = points.map { point in
      let divisor = points.reduce(1) { $1 == point ? $0 : $0 * (point - $1) }
      return [1, point, point * point].map { $0 / divisor }
    }
    return rows + [[0, 0, 1]]
  }()

  // MARK: Runs

  /// A thread's scratch memory: which tiles it holds, these transformed, and products.
  private var seatCount: Int {
    let most = (tiles + groups - 1) / groups
    return ChannelBlocks.size * (1 + 36 * most * (inputBlocks + 1))
  }

  /// Floats of scratch memory that a run needs.
  var scratchCount: Int { seatCount * ThreadTeam.shared.threadCount }

  /// - Parameter operands: input, weights, bias, result, scratch memory.
  func run(_ operands: [UnsafeMutablePointer<Float>]) {
    let places = Unchecked(operands)
    for seat in 0..<ThreadTeam.shared.threadCount { operands[4][seat * seatCount] = -1 }
    Parallel.forEachRange(images * groups * outputBlocks) { range in
      let scratch = places.value[4] + Int(ThreadPlace.current.pointee.seat) * seatCount
      for index in range {
        let (group, output) = index.quotientAndRemainder(dividingBy: outputBlocks)
        convolve(group, output, places.value, scratch)
      }
    }
  }

  private func convolve(
    _ group: Int, _ output: Int, _ operands: [UnsafeMutablePointer<Float>],
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    var convolution = convolution
    let block = ChannelBlocks.size
    let (image, part) = group.quotientAndRemainder(dividingBy: groups)
    let (first, end) = (part * tiles / groups, (part + 1) * tiles / groups)
    let transformed = scratch + block
    if scratch[0] != Float(group) {
      transform_tiles(
        &convolution, operands[0] + image * inputBlocks * inputLength, Int32(inputBlocks), Int32(first),
        Int32(end - first), transformed)
      scratch[0] = Float(group)
    }
    convolve_tiles(
      &convolution, transformed, Int32(inputBlocks), Int32(first), Int32(end - first),
      operands[1] + output * 36 * inputBlocks * block * block, operands[2] + output * block,
      transformed + 36 * inputBlocks * (end - first) * block,
      operands[3] + (image * outputBlocks + output) * outputLength)
  }
}
