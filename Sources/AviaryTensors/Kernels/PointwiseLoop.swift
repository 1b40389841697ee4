import CVectors

/// A convolution with filters of one pixel, as fast as oneDNN's, but divided among the threads as the depthwise convolution beside it is:
/// what a thread reads is what it wrote itself.
///
/// Otherwise each thread has to tell the other for every cache line that it writes again after both have read it: that takes 7 ns where
/// two cores share a cache and 27 where they do not, against 1 to 2.5 for a line that the other core alone has. With two threads, on
/// cores that share a cache and on cores that do not: MobileNet v2 takes 3.6 instead of 3.8 and 5.4 instead of 6.3 ms, EfficientNet-B0 5.1
/// instead of 5.2 and 7.4 instead of 7.9.
struct PointwiseLoop: PlannedLoop {
  /// What of the convolution a thread has.
  private enum Division {
    /// Some rows.
    case rows
    /// Some of the result's channels.
    case outputs
    /// Some of the input's channels, whose contributions to the result are then added up.
    case inputs
  }

  let convolution: PointwiseConvolution
  private let division: Division
  private let images: Int
  private let pixels: Int
  private let inputBlocks: Int
  private let outputBlocks: Int
  /// Ranges of an image's pixels whose input stays in a core's cache.
  private let strips: Int
  /// Ranges of the result's blocks of channels.
  private let groups: Int
  /// Ranges of the input's blocks of channels: as many as there are threads where the division is by inputs, else one.
  private let slices: Int

  /// Bytes: by rows every thread reads all weights, and they should stay in its core's cache too.
  private static let mostWeights = 1 << 20
  private static let mostInput = 1 << 18

  /// Nil where oneDNN's kernel has to do it: on other processors, for other geometries and activations, and with many weights.
  ///
  /// - Parameter isAfterDepthwise: whether the input is what a depthwise convolution made; else one reads the result.
  init?(
    _ geometry: ConvolutionGeometry, input: Shape, weights: Shape, accumulates: Bool, after: EltwiseKernel?,
    isAfterDepthwise: Bool
  ) {
    guard input.count == 4, !input.contains(0), weights.dropFirst() == [input[1], 1, 1],
      geometry.groups == 1, geometry.stride == [1, 1], geometry.padding == .none(2), input[2] * input[3] > 1,
      weights.elementCount * MemoryLayout<Float>.size <= Self.mostWeights,
      let after = VectorActivation(after), after.keepsZero, OneDNN.usesAVX512
    else { return nil }
    let team = ThreadTeam.shared
    let block = ChannelBlocks.size
    images = input[0]
    pixels = input[2] * input[3]
    inputBlocks = ChannelBlocks.filledUp(input[1]) / block
    outputBlocks = ChannelBlocks.filledUp(weights[0]) / block
    convolution = PointwiseConvolution(
      channels: Int32(input[1]), plane: pixels * block, accumulates: accumulates, after: after)
    if !ChannelBlocks.areDividedByChannels(images: images, pixels: pixels) {
      division = .rows
    } else if isAfterDepthwise, min(inputBlocks, outputBlocks) >= team.threadCount {
      division = .inputs
    } else {
      division = .outputs
    }
    slices = division == .inputs ? team.threadCount : 1
    if division == .rows {
      let pixelsOfStrip = max(Self.mostInput / (inputBlocks * block * MemoryLayout<Float>.size), 1)
      strips = team.fairCount((pixels + pixelsOfStrip - 1) / pixelsOfStrip, ofEachOf: images, most: pixels)
      groups = max(1, min(2 * team.partCount / (images * strips), outputBlocks))
    } else {
      strips = 1
      groups = min(team.partCount, outputBlocks)
    }
  }

  var implementation: String { "pointwise:avx512" }

  /// Floats of scratch memory that a run needs.
  var scratchCount: Int { slices == 1 ? 0 : slices * outputBlocks * pixels * ChannelBlocks.size }

  /// - Parameter operands: input, weights, bias, result, and scratch memory if there has to be some.
  func run(_ operands: [UnsafeMutablePointer<Float>]) {
    let places = Unchecked(operands)
    if slices > 1 { return addContributions(places) }
    Parallel.forEachRange(images * strips * groups) { range in
      for index in range {
        let (stripIndex, group) = index.quotientAndRemainder(dividingBy: groups)
        let (image, strip) = stripIndex.quotientAndRemainder(dividingBy: strips)
        let pixels = strip * pixels / strips..<(strip + 1) * pixels / strips
        for output in outputs(of: group) { run(places.value, image: image, pixels: pixels, output: output) }
      }
    }
  }

  private func outputs(of group: Int) -> Range<Int> {
    group * outputBlocks / groups..<(group + 1) * outputBlocks / groups
  }

  private func run(
    _ operands: [UnsafeMutablePointer<Float>], image: Int, pixels range: Range<Int>, output: Int
  ) {
    let block = ChannelBlocks.size
    let first = range.lowerBound * block
    var convolution = convolution
    convolve_pointwise(
      &convolution, operands[0] + image * inputBlocks * pixels * block + first,
      operands[1] + output * inputBlocks * block * block, operands[2] + output * block,
      operands[3] + (image * outputBlocks + output) * pixels * block + first, Int32(range.count))
  }

  // MARK: By inputs

  /// The slice whose contribution to a block of the result lies in the result itself.
  private func home(of output: Int) -> Int { output * slices / outputBlocks }

  private func addContributions(_ places: Unchecked<[UnsafeMutablePointer<Float>]>) {
    Parallel.forEachRange(slices * groups) { range in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: ChannelBlocks.size) { zeros in
        zeros.initialize(repeating: 0)
        for index in range {
          let (slice, group) = index.quotientAndRemainder(dividingBy: groups)
          for output in outputs(of: group) {
            contribute(slice, to: output, places.value, zeros.baseAddress!)
          }
        }
      }
    }
    Parallel.forEachRange(outputBlocks) { range in
      for output in range { addUp(output, places.value) }
    }
  }

  private func contribute(
    _ slice: Int, to output: Int, _ operands: [UnsafeMutablePointer<Float>], _ zeros: UnsafePointer<Float>
  ) {
    let block = ChannelBlocks.size
    let isHome = slice == home(of: output)
    let (first, end) = (slice * inputBlocks / slices, (slice + 1) * inputBlocks / slices)
    var contribution = PointwiseConvolution(
      channels: min(Int32(end * block), convolution.channels) - Int32(first * block),
      plane: convolution.plane, accumulates: isHome && convolution.accumulates, after: VectorActivation())
    let target = isHome ? operands[3] : operands[4] + slice * outputBlocks * pixels * block
    convolve_pointwise(
      &contribution, operands[0] + first * pixels * block,
      operands[1] + (output * inputBlocks + first) * block * block,
      isHome ? UnsafePointer(operands[2] + output * block) : zeros, target + output * pixels * block,
      Int32(pixels))
  }

  private func addUp(_ output: Int, _ operands: [UnsafeMutablePointer<Float>]) {
    let length = pixels * ChannelBlocks.size
    let others = (0..<slices).filter { $0 != home(of: output) }
    for slice in others {
      add_contribution(
        operands[4] + (slice * outputBlocks + output) * length, pixels,
        slice == others.last ? convolution.after : VectorActivation(), operands[3] + output * length)
    }
  }
}
