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
