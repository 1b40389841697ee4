import CVectors

/// A convolution of each channel with a filter of its own, together with the activations before and after it.
///
/// oneDNN's kernel computes x·σ(x) in 18 cycles for 16 values, this loop in 7 to 11. It also takes the activation over from the
/// convolution before it, and leaves the sums that squeeze-and-excitation begins with. EfficientNet-B0 takes 5.0 instead of 6.4 ms,
/// ConvNeXt-T 46 instead of 47.5; MobileNets without x·σ(x) gain 1 %.
///
/// A pointwise convolution before it can be part of the loop, which then computes each row of it when it is needed: what it makes is never
/// written to memory. On cores that share a cache and on cores that do not, MobileNet v2 takes 3.6 instead of 3.7 and 4.4 instead of
/// 5.7 ms, EfficientNet-B0 5.3 instead of 5.5 and 6.3 instead of 7.3.
struct DepthwiseLoop: PlannedLoop {
  private let convolution: DepthwiseConvolution
  private let expansion: PointwiseConvolution?
  /// Of an image's channels, blocks that the loop reads.
  private let inputBlocks: Int
  private let inputLength: Int
  let pieces: ChannelBlocks
  /// How many values the sums of the channels are squeezed to, filled up to a multiple of 16.
  var hidden = 0

  /// Bytes of the input that a thread reads for each block of the result, which should stay in its core's cache.
  private static let mostInput = 1 << 19

  /// Nil where oneDNN's kernel has to do it: on other processors, for other sizes and activations.
  ///
  /// - Parameters:
  ///   - input: the depthwise convolution's own, whether an expansion makes it or not.
  ///   - expansion: with its own activation, so that there is none `before`.
  init?(
    _ geometry: ConvolutionGeometry, input: Shape, weights: Shape, before: EltwiseKernel? = nil,
    expansion: PointwiseConvolution? = nil, after: EltwiseKernel?
  ) {
    guard input.count == 4, !input.contains(0), weights == [input[1], 1, weights[2], weights[2]],
      geometry.groups == input[1],
      geometry.stride[0] == geometry.stride[1], geometry.dilation == [1, 1],
      let before = VectorActivation(before), let after = VectorActivation(after),
      before.keepsZero, after.keepsZero
    else { return nil }
    let output = geometry.outputExtents(Array(input.dropFirst(2)), kernel: Array(weights.dropFirst(2)))
    var convolution = DepthwiseConvolution(
      height: Int32(input[2]), width: Int32(input[3]), output_height: Int32(output[0]),
      output_width: Int32(output[1]), kernel: Int32(weights[2]), stride: Int32(geometry.stride[0]),
      top: Int32(geometry.padding.before[0]), left: Int32(geometry.padding.before[1]), before: before,
      after: after)
    guard OneDNN.usesAVX512, can_convolve_depthwise(&convolution) else { return nil }
    self.convolution = convolution
    inputLength = input[2] * input[3] * ChannelBlocks.size
    self.expansion = expansion
    inputBlocks = ChannelBlocks.filledUp(expansion.map { Int($0.channels) } ?? input[1]) / ChannelBlocks.size
    // Rows of the input are made anew for each piece that needs them.
    let inputSize = (expansion == nil ? 1 : inputBlocks) * inputLength * MemoryLayout<Float>.size
    pieces = ChannelBlocks(
      input.prefix(2) + output, fewestRows: (expansion == nil ? 2 : 8) * weights[2],
      fewestCuts: expansion == nil ? 1 : (inputSize + Self.mostInput - 1) / Self.mostInput)
  }

  var implementation: String { "depthwise:avx512" }

  /// - Parameter operands: input, filters, bias, result; with an expansion its weights and bias; to squeeze also the weights,
  ///   blocks×16×hidden, and a place for what each piece contributes, pieces×hidden.
  func run(_ operands: [UnsafeMutablePointer<Float>]) {
    let places = Unchecked(operands)
    let block = ChannelBlocks.size
    let kernel = Int(convolution.kernel)
    let outputLength = pieces.height * pieces.width * block
    Parallel.forEachRange(pieces.pieceCount) { range in
      let operands = places.value
      var convolution = convolution
      withUnsafeTemporaryAllocation(of: Float.self, capacity: block) { sums in
        let sums = sums.baseAddress!
        for index in range {
          let piece = pieces[index]
          withInput(of: piece, operands) { input in
            convolve_depthwise(
              &convolution, &input, operands[1] + piece.block * kernel * kernel * block,
              operands[2] + piece.block * block, operands[3] + piece.plane * outputLength,
              Int32(piece.rows.lowerBound), Int32(piece.rows.upperBound), sums)
          }
          if hidden > 0 {
            let squeezing = operands.suffix(2)
            squeeze_block(
              sums, squeezing.first! + piece.block * block * hidden, Int32(hidden),
              squeezing.last! + index * hidden)
          }
        }
      }
    }
  }

  private func withInput(
    of piece: ChannelBlocks.Piece, _ operands: [UnsafeMutablePointer<Float>],
    _ body: (inout DepthwiseInput) -> Void
  ) {
    guard let expansion else {
      var input = DepthwiseInput()
      input.values = UnsafePointer(operands[0] + piece.plane * inputLength)
      return body(&input)
    }
    let block = ChannelBlocks.size
    withUnsafePointer(to: expansion) { expansion in
      var input = DepthwiseInput(
        values: operands[0] + piece.image * inputBlocks * inputLength, expansion: expansion,
        weights: operands[4] + piece.block * inputBlocks * block * block,
        bias: operands[5] + piece.block * block)
      body(&input)
    }
  }
}

extension VectorActivation {
  /// Nil for functions that there is no loop for.
  init?(_ kernel: EltwiseKernel?) {
    self.init()
    switch kernel?.function {
    case nil: function = VectorIdentity
    case .relu where kernel!.alpha == 0: (function, low, high) = (VectorClamp, 0, .infinity)
    case .clip: (function, low, high) = (VectorClamp, kernel!.alpha, kernel!.beta)
    case .swish where kernel!.alpha == 1: function = VectorSwish
    case .hardSwish: function = VectorHardSwish
    case .logistic: function = VectorLogistic
    default: return nil
    }
  }

  /// Whether zeros around an image, and in channels that fill up a block, stay zeros.
  var keepsZero: Bool {
    switch function {
    case VectorClamp: low <= 0 && high >= 0
    case VectorLogistic, VectorHardLogistic: false
    default: true
    }
  }
}
