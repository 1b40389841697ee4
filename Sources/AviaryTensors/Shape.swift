/// The logical extents of a tensor, outermost first: images N×C×H×W, sequences N×T×D.
public typealias Shape = [Int]

extension Shape {
  /// The number of elements: the product of the extents, 1 for a scalar.
  public var elementCount: Int {
    var count = 1
    for extent in self {
      let (product, isTooLarge) = count.multipliedReportingOverflow(by: extent)
      require(extent >= 0 && !isTooLarge, "\(shapeText) is no shape that a tensor can have")
      count = product
    }
    return count
  }

  /// Row-major strides in elements.
  var rowMajorStrides: [Int] {
    var strides = [Int](repeating: 1, count: count)
    for axis in stride(from: count - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * Swift.max(self[axis + 1], 1)
    }
    return strides
  }

  /// `N×C×H×W` as people write it, for messages.
  public var shapeText: String { isEmpty ? "scalar" : map(String.init).joined(separator: "×") }
}

/// Turns a possibly negative axis into 0..<rank; an axis out of range is a bug of the caller.
func resolved(axis: Int, rank: Int, _ function: StaticString = #function) -> Int {
  let resolved = axis < 0 ? axis + rank : axis
  require(
    resolved >= 0 && resolved < rank, "\(function): axis \(axis) is out of range for a tensor of rank \(rank)"
  )
  return resolved
}

/// The common shape of two operands by NumPy's broadcasting rule, or nil when they do not fit.
func broadcast(_ a: Shape, _ b: Shape) -> Shape? {
  let rank = max(a.count, b.count)
  var result = Shape(repeating: 1, count: rank)
  for axis in 0..<rank {
    let x = axis < rank - a.count ? 1 : a[axis - (rank - a.count)]
    let y = axis < rank - b.count ? 1 : b[axis - (rank - b.count)]
    guard x == y || x == 1 || y == 1 else { return nil }
    result[axis] = x == 1 ? y : x
  }
  return result
}
