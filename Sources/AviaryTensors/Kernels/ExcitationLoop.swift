import CVectors

/// The second half of squeeze-and-excitation: each channel times gate(W₂ δ(W₁ mean + b₁) + b₂), where what the pieces of the image
/// contribute to W₁ mean is known (Hu, Shen & Sun 2018, equations 3 and 4).
struct ExcitationLoop: PlannedLoop {
  let pieces: ChannelBlocks
  let squeezed: Int
  let activation: VectorActivation
  let gate: VectorActivation

  /// ``squeezed`` filled up to whole vectors.
  var hidden: Int { ChannelBlocks.filledUp(squeezed) }

  var implementation: String { "excitation:avx512" }

  /// - Parameter operands: values, contributions (pieces×hidden), b₁ (hidden), W₂ (blocks×hidden×16), b₂ (blocks×16), result.
  func run(_ operands: [UnsafeMutablePointer<Float>]) {
    let places = Unchecked(operands)
    let block = ChannelBlocks.size
    let contributors = pieces.blocks * pieces.cuts
    Parallel.forEachRange(pieces.pieceCount) { range in
      let operands = places.value
      withUnsafeTemporaryAllocation(of: Float.self, capacity: hidden) { factors in
        let factors = factors.baseAddress!
        var image = -1
        for index in range {
          let piece = pieces[index]
          if piece.image != image {
            image = piece.image
            finish_squeezing(
              operands[1] + image * contributors * hidden, Int32(contributors), Int32(hidden), operands[2],
              activation, factors)
          }
          let first = (piece.plane * pieces.height + piece.rows.lowerBound) * pieces.width * block
          excite_block(
            factors, Int32((squeezed + 1) / 2 * 2), operands[3] + piece.block * hidden * block,
            operands[4] + piece.block * block, gate, operands[0] + first, operands[5] + first,
            piece.rows.count * pieces.width)
        }
      }
    }
  }
}
