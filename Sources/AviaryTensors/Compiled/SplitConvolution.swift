/// A 5×5 convolution as a 3×3 convolution with four times the input channels, which Winograd's transforms apply to.
///
/// The kernel, grown to 6×6 by zeros, falls into four of 3×3; each of them reads a copy of the input that is moved by 0 or 3 rows and
/// columns. That takes 1.44 times the multiplications, and F(4×4, 3×3) needs a quarter of them: AlexNet's second convolution
/// takes 1.15 instead of 1.8 ms, the copies included.
struct SplitConvolution {
  /// The 3×3 convolution. Its input holds the original padding: around a copy that was moved lie values, not zeros.
  let inner: ConvolutionKernel
  let copies: MovedCopies

  /// Nil for convolutions that cannot be written so.
  init?(_ kernel: ConvolutionKernel) {
    let geometry = kernel.geometry
    guard kernel.dtype == .float32, geometry.groups == 1, kernel.weights.dropFirst(2) == [5, 5],
      geometry.stride == [1, 1], geometry.dilation == [1, 1], kernel.input[1] % MovedCopies.block == 0
    else { return nil }
    copies = MovedCopies(
      input: kernel.input, before: geometry.padding.before,
      extents: zip(kernel.input.dropFirst(2), zip(geometry.padding.before, geometry.padding.after)).map {
        $0 + $1.0 + $1.1 - 2
      })
    var inner = ConvolutionKernel(
      ConvolutionGeometry(stride: [1, 1], padding: .none(2)), input: copies.output,
      weights: [kernel.weights[0], copies.output[1], 3, 3], hasBias: kernel.hasBias)
    guard inner.mayUseWinograd else { return nil }
    inner.algorithm = .winograd4x3
    inner.hasFixedWeights = true
    inner.finishing = kernel.finishing
    // Another processor's kernels may want other blocks than the copies have.
    guard
      inner.forwardPrimitive.descriptor(.source(0))
        == .blockedChannels(copies.output, block: MovedCopies.block)
    else { return nil }
    self.inner = inner
  }

  /// Filters of 5×5 as the inner convolution reads them: O×C×5×5 → O×(2·2·C)×3×3.
  func weights(_ filters: Tensor) -> Tensor {
    let (outputs, channels) = (filters.shape[0], filters.shape[1])
    return filters.cast(to: .float32).padded(before: [0, 0, 0, 0], after: [0, 0, 1, 1])
      .reshaped([outputs, channels, 2, 3, 2, 3]).permuted([0, 2, 4, 1, 3, 5])
      .reshaped([outputs, 4 * channels, 3, 3])
  }
}

/// Four copies of an image, one after another along the channels, moved by 0 or 3 rows and columns, with zeros where there is nothing.
///
/// Images lie as N×(C/16)×H×W×16.
struct MovedCopies: PlannedLoop {
  static let block = 16
  private static let distance = 3

  /// N×C×H×W.
  let input: Shape
  /// Zeros before the first row and column of the copy that is not moved.
  let before: [Int]
  /// N×4C×H'×W'.
  let output: Shape

  init(input: Shape, before: [Int], extents: [Int]) {
    self.input = input
    self.before = before
    output = [input[0], 4 * input[1]] + extents
  }

  var implementation: String { "loop" }

  func run(_ operands: [UnsafeMutablePointer<Float>]) { write(operands[0], to: operands[1]) }

  func write(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
    let (source, target) = (Unchecked(source), Unchecked(target))
    let blocks = input[1] / Self.block
    let (height, width) = (output[2], output[3])
    // A row of a block of channels of a copy of an image at a time.
    Parallel.forEachRange(input[0] * 4 * blocks * height, grain: max(1, 4096 / (width * Self.block))) {
      rows in
      for row in rows {
        let (plane, y) = row.quotientAndRemainder(dividingBy: height)
        let (image, copy, block) = (plane / (4 * blocks), plane / blocks % 4, plane % blocks)
        let moved = (y: y - before[0] + copy / 2 * Self.distance, x: copy % 2 * Self.distance - before[1])
        let to = target.value + row * width * Self.block
        let columns = max(0, -moved.x)..<min(width, input[3] - moved.x)
        guard 0..<input[2] ~= moved.y, !columns.isEmpty else {
          to.update(repeating: 0, count: width * Self.block)
          continue
        }
        let first = ((image * blocks + block) * input[2] + moved.y) * input[3] + columns.lowerBound + moved.x
        to.update(repeating: 0, count: columns.lowerBound * Self.block)
        (to + columns.lowerBound * Self.block)
          .update(from: source.value + first * Self.block, count: columns.count * Self.block)
        (to + columns.upperBound * Self.block)
          .update(repeating: 0, count: (width - columns.upperBound) * Self.block)
      }
    }
  }
}
