import AviaryTensors

/// A rearrangement of a tensor's elements: axes are cut into finer ones, put into another order, some of them run backwards, and merged
/// again.
///
/// Every difference between two frameworks' layouts of a weight is one. Cut and reordered is a view that costs nothing; elements move
/// only when the result is read in order, which can be done piece by piece. Only backwards is a copy.
struct AxisMove: Hashable, Sendable {
  /// The extents after cutting.
  let cut: Shape
  /// Axis i of the result, before merging, is axis `order[i]` of the cut tensor.
  let order: [Int]
  /// Axes of the result, before merging, whose elements come in the opposite order.
  var reversed: [Int] = []
  /// The shape of the result.
  let merged: Shape

  /// The result with its axes not yet merged: its elements in row-major order are the result's.
  func unmerged(_ tensor: Tensor) -> Tensor {
    reversed.reduce(tensor.reshaped(cut).permuted(order)) { result, axis in
      // Slices, which any type of element has.
      concatenate(
        (0..<result.shape[axis]).reversed().map { result.sliced(axis, $0..<($0 + 1)) }, axis: axis)
    }
  }

  func callAsFunction(_ tensor: Tensor) -> Tensor { unmerged(tensor).reshaped(merged) }

  /// The way back to a tensor of the given shape, which this one was made for.
  func inverse(_ shape: Shape) -> AxisMove {
    var back = order
    for (position, axis) in order.enumerated() { back[axis] = position }
    return AxisMove(
      cut: order.map { cut[$0] }, order: back, reversed: reversed.map { order[$0] }, merged: shape)
  }
}

extension Tensor {
  /// Calls `body` with pieces of at most `limit` elements that, one after another, hold all elements in row-major order; each piece is a
  /// view.
  func forEachPiece(limit: Int, _ body: (Tensor) throws -> Void) rethrows {
    guard count > limit, let axis = shape.firstIndex(where: { $0 > 1 }) else { return try body(self) }
    let extent = shape[axis]
    let rows = max(1, limit / (count / extent))
    for start in stride(from: 0, to: extent, by: rows) {
      try sliced(axis, start..<min(start + rows, extent)).forEachPiece(limit: limit, body)
    }
  }
}
