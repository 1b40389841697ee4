import CVectors

/// A convolution with filters of one pixel, as fast as oneDNN's, but divided among the threads by rows as ``DepthwiseLoop`` is: what a
/// thread reads is what it wrote itself.
///
/// Where each thread has some of the channels in one convolution and some of the rows in the next, both read everything, and each has to
/// tell the other for every cache line that it writes there again: that takes 7 ns where two cores share a cache and 27 where they do
/// not, against 1 to 2.5 for a line that the other core alone has. MobileNet v2 takes 3.6 instead of 3.8 ms, and 5.4 instead of 6.3 on
/// cores without a common cache.
struct PointwiseLoop: PlannedLoop {
  private let convolution: PointwiseConvolution
  private let images: Int
  private let pixels: Int
  private let inputBlocks: Int
  private let outputBlocks: Int
  /// Ranges of an image's pixels whose input stays in a core's cache.
  private let strips: Int
  /// Ranges of the result's blocks of channels.
  private let groups: Int

  /// Bytes: every thread reads all weights, and they should stay in its core's cache too.
  private static let mostWeights = 1 << 20
  private static let mostInput = 1 << 18

  /// Nil where oneDNN's kernel has to do it: on other processors, for other geometries and activations, and with many weights.
  init?(
    _ geometry: ConvolutionGeometry, input: Shape, weights: Shape, accumulates: Bool, after: EltwiseKernel?
  ) {
    guard input.count == 4, !input.contains(0), weights.dropFirst() == [input[1], 1, 1],
      geometry.groups == 1, geometry.stride == [1, 1], geometry.padding == .none(2), input[2] * input[3] > 1,
      weights.elementCount * MemoryLayout<Float>.size <= Self.mostWeights,
      let after = VectorActivation(after), after.keepsZero, OneDNN.usesAVX512, can_convolve_pointwise()
    else { return nil }
    let block = ChannelBlocks.size
    images = input[0]
    pixels = input[2] * input[3]
    inputBlocks = ChannelBlocks.filledUp(input[1]) / block
    outputBlocks = ChannelBlocks.filledUp(weights[0]) / block
    convolution = PointwiseConvolution(
      channels: Int32(input[1]), plane: pixels * block, accumulates: accumulates, after: after)
    let team = ThreadTeam.shared
    let pixelsOfStrip = max(Self.mostInput / (inputBlocks * block * MemoryLayout<Float>.size), 1)
    strips = team.fairCount((pixels + pixelsOfStrip - 1) / pixelsOfStrip, ofEachOf: images, most: pixels)
    groups = max(1, min(2 * team.partCount / (images * strips), outputBlocks))
  }

  var implementation: String { "pointwise:avx512" }

  /// - Parameter operands: input, weights, bias, result.
  func run(_ operands: [UnsafeMutablePointer<Float>]) {
    let places = Unchecked(operands)
    Parallel.forEachRange(images * strips * groups) { range in
      for index in range {
        let (stripIndex, group) = index.quotientAndRemainder(dividingBy: groups)
        let (image, strip) = stripIndex.quotientAndRemainder(dividingBy: strips)
        run(
          places.value, image: image, pixels: strip * pixels / strips..<(strip + 1) * pixels / strips,
          outputs: group * outputBlocks / groups..<(group + 1) * outputBlocks / groups)
      }
    }
  }

  private func run(
    _ operands: [UnsafeMutablePointer<Float>], image: Int, pixels range: Range<Int>, outputs: Range<Int>
  ) {
    let block = ChannelBlocks.size
    var convolution = convolution
    let most = Int(MOST_POINTWISE_PIXELS)
    let tiles = (range.count + most - 1) / most
    for output in outputs {
      for tile in 0..<tiles {
        let first = range.lowerBound + tile * range.count / tiles
        let end = range.lowerBound + (tile + 1) * range.count / tiles
        convolve_pointwise(
          &convolution, operands[0] + (image * inputBlocks * pixels + first) * block,
          operands[1] + output * inputBlocks * block * block, operands[2] + output * block,
          operands[3] + ((image * outputBlocks + output) * pixels + first) * block, Int32(end - first))
      }
    }
  }
}
