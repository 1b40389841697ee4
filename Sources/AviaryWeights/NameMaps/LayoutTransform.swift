import AviaryTensors

/// How a weight lies in another framework, mostly Keras, and how it lies here, with an exact way in both directions.
///
/// Letters: k spatial extents of a kernel, I input channels, O output channels, M depth multiplier, C×H×W what a flatten flattened.
package enum LayoutTransform: Hashable, Sendable {
  /// The same in both: biases, statistics, embeddings.
  case identity
  /// k…×I×O ↔ O×I×k…
  case convolution
  /// k…×O×I ↔ I×O×k…, without a flip.
  case convolutionTranspose
  /// k…×C×M ↔ (C·M)×1×k…
  case depthwise(multiplier: Int)
  /// I×O ↔ O×I
  case dense
  /// (H·W·C)×O ↔ O×(C·H·W): Keras flattens channels last, we flatten channels first.
  case denseAfterFlatten(channels: Int, height: Int, width: Int)
  /// 1×1×I×O ↔ O×I: a 1×1 convolution that is a linear layer here.
  case pointwiseAsDense
  /// 1×I×O ↔ I×O: a 1-D convolution of width 1 that is a map of such weights here.
  case unitConvolution
  /// O×I×k… ↔ O×I×k… with every spatial axis reversed: Theano convolves, everyone else correlates.
  case flipped

  /// From their layout to ours. Throws ``WeightsError`` when the shape does not allow it.
  package func apply(_ tensor: Tensor) throws -> Tensor { try importing(tensor.shape)(tensor) }

  /// From our layout to theirs: undoes ``apply(_:)`` bit for bit. Throws ``WeightsError`` when the shape does not allow it.
  package func undo(_ tensor: Tensor) throws -> Tensor { try exporting(tensor.shape)(tensor) }

  /// The way from their layout, of the given shape, to ours.
  func importing(_ theirs: Shape) throws -> AxisMove {
    let rank = theirs.count
    let last = Array(theirs.suffix(2))
    switch self {
    case .identity: return AxisMove(cut: theirs, order: Array(theirs.indices), merged: theirs)
    case .convolution, .convolutionTranspose:
      guard rank >= 3 else { throw unfit(theirs, "k×I×O, k×k×I×O or more axes") }
      let order = [rank - 1, rank - 2] + Array(0..<(rank - 2))
      return AxisMove(cut: theirs, order: order, merged: order.map { theirs[$0] })
    case .depthwise(let multiplier):
      guard rank >= 3, last[1] == multiplier else { throw unfit(theirs, "k×k×C×\(multiplier)") }
      return AxisMove(
        cut: theirs, order: [rank - 2, rank - 1] + Array(0..<(rank - 2)),
        merged: [last[0] * multiplier, 1] + theirs.dropLast(2))
    case .dense:
      guard rank == 2 else { throw unfit(theirs, "I×O") }
      return AxisMove(cut: theirs, order: [1, 0], merged: [theirs[1], theirs[0]])
    case .denseAfterFlatten(let channels, let height, let width):
      guard rank == 2, theirs[0] == channels * height * width else {
        throw unfit(theirs, "\(channels * height * width)×O")
      }
      return AxisMove(
        cut: [height, width, channels, theirs[1]], order: [3, 2, 0, 1], merged: [theirs[1], theirs[0]])
    case .pointwiseAsDense:
      guard rank == 4, theirs[0] == 1, theirs[1] == 1 else { throw unfit(theirs, "1×1×I×O") }
      return AxisMove(cut: last, order: [1, 0], merged: [last[1], last[0]])
    case .unitConvolution:
      guard rank == 3, theirs[0] == 1 else { throw unfit(theirs, "1×I×O") }
      return AxisMove(cut: last, order: [0, 1], merged: last)
    case .flipped:
      guard rank >= 3 else { throw unfit(theirs, "O×I×k, O×I×k×k or more axes") }
      return AxisMove(
        cut: theirs, order: Array(theirs.indices), reversed: Array(2..<rank), merged: theirs)
    }
  }

  /// The way from our layout, of the given shape, to theirs.
  func exporting(_ ours: Shape) throws -> AxisMove {
    let theirs = try theirShape(ours)
    return try importing(theirs).inverse(theirs)
  }

  /// The shape in their layout of a tensor that has the shape `ours` here.
  private func theirShape(_ ours: Shape) throws -> Shape {
    switch self {
    case .identity, .flipped: return ours
    case .convolution, .convolutionTranspose:
      guard ours.count >= 3 else { throw unfit(ours, "O×I×k, O×I×k×k or more axes") }
      return ours[2...] + [ours[1], ours[0]]
    case .depthwise(let multiplier):
      guard ours.count >= 3, ours[1] == 1, multiplier > 0, ours[0] % multiplier == 0 else {
        throw unfit(ours, "(C·\(multiplier))×1×k×k")
      }
      return ours[2...] + [ours[0] / multiplier, multiplier]
    case .dense:
      guard ours.count == 2 else { throw unfit(ours, "O×I") }
      return ours.reversed()
    case .denseAfterFlatten(let channels, let height, let width):
      guard ours.count == 2, ours[1] == channels * height * width else {
        throw unfit(ours, "O×\(channels * height * width)")
      }
      return ours.reversed()
    case .pointwiseAsDense:
      guard ours.count == 2 else { throw unfit(ours, "O×I") }
      return [1, 1, ours[1], ours[0]]
    case .unitConvolution:
      guard ours.count == 2 else { throw unfit(ours, "I×O") }
      return [1] + ours
    }
  }

  private func unfit(_ shape: Shape, _ expected: String) -> WeightsError {
    WeightsError(.mismatched, "its shape is \(shape.shapeText), expected \(expected)")
  }
}
