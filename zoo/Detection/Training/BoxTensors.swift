import AviaryTensors
import AviaryVision

// Boxes as tensors R×4 of edges x1, y1, x2, y2, through which gradients flow.

/// The generalised intersection over union of each pair of boxes R×4, R numbers in −1...1 (Rezatofighi et al. 2019, arXiv:1902.09630,
/// algorithm 1).
///
/// - Parameter epsilon: added to what is divided by: torchvision's 10⁻⁷.
func generalizedOverlaps(_ boxes: Tensor, _ others: Tensor, epsilon: Float = 1e-7) -> Tensor {
  func edges(_ boxes: Tensor) -> [Tensor] { (0..<4).map { boxes.selected(1, $0) } }
  let (a, b) = (edges(boxes), edges(others))
  func area(_ edges: [Tensor]) -> Tensor { (edges[2] - edges[0]) * (edges[3] - edges[1]) }
  let common =
    (minimum(a[2], b[2]) - maximum(a[0], b[0])).relu() * (minimum(a[3], b[3]) - maximum(a[1], b[1])).relu()
  let union = area(a) + area(b) - common
  let hull =
    (maximum(a[2], b[2]) - minimum(a[0], b[0])) * (maximum(a[3], b[3]) - minimum(a[1], b[1]))
  return common / (union + epsilon) - (hull - union) / (hull + epsilon)
}

/// The complete overlap of each pair of boxes around a common middle, M×4 distances to the left, upper, right and lower edge each; as
/// ``Box/completeOverlap(_:)``, with a gradient for the first.
func completeOverlaps(_ boxes: Tensor, _ wanted: Tensor) -> Tensor {
  let epsilon: Float = 1e-7
  func edges(_ box: Tensor) -> [Tensor] { (0..<4).map { box.selected(1, $0) } }
  let (a, b) = (edges(boxes), edges(wanted))
  func sides(_ edges: [Tensor]) -> (w: Tensor, h: Tensor) {
    (edges[0] + edges[2], edges[1] + edges[3] + epsilon)
  }
  let (own, other) = (sides(a), sides(b))
  // Distances to the edges grow outwards on all sides.
  let common =
    (minimum(a[0], b[0]) + minimum(a[2], b[2])).relu() * (minimum(a[1], b[1]) + minimum(a[3], b[3])).relu()
  let overlap = common / (own.w * own.h + other.w * other.h - common + epsilon)
  let hull = (
    w: maximum(a[0], b[0]) + maximum(a[2], b[2]), h: maximum(a[1], b[1]) + maximum(a[3], b[3])
  )
  let dx = (a[2] - a[0]) - (b[2] - b[0])
  let dy = (a[3] - a[1]) - (b[3] - b[1])
  let distance = (dx.square() + dy.square()) * 0.25 / (hull.w.square() + hull.h.square() + epsilon)
  let turn = (other.w / other.h).arctangent() - (own.w / own.h).arctangent()
  let proportion = turn.square() * (4 / (Float.pi * Float.pi))
  let share = (proportion / (proportion - overlap + (1 + epsilon))).detached
  return overlap - distance - proportion * share
}

extension Tensor {
  /// Edges R×4.
  init(edges boxes: [Box]) {
    self.init(boxes.flatMap { [$0.x1, $0.y1, $0.x2, $0.y2] }, shape: [boxes.count, 4])
  }

  /// Boxes R×4 as centre x, centre y, width and height, as edges.
  var edgesOfCentred: Tensor {
    let (centres, sides) = (sliced(1, 0..<2), sliced(1, 2..<4))
    return concatenate([centres - sides * 0.5, centres + sides * 0.5], axis: 1)
  }
}

extension BoxCoder {
  /// The boxes R×4 that differences R×4 make of known ones, as ``decoded(_:_:_:_:from:)``.
  func decoded(_ deltas: Tensor, from known: [Box]) -> Tensor {
    let sides = Tensor(known.flatMap { [$0.width, $0.height] }, shape: [known.count, 2])
    let centres = Tensor(
      known.flatMap { [$0.x1 + 0.5 * $0.width, $0.y1 + 0.5 * $0.height] }, shape: [known.count, 2])
    let logarithms = minimum(deltas.sliced(1, 2..<4) / sizeWeight, Tensor(Self.largestLogarithm))
    return concatenate(
      [deltas.sliced(1, 0..<2) / centreWeight * sides + centres, logarithms.exp() * sides], axis: 1
    ).edgesOfCentred
  }
}
