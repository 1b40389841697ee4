/// Where the elements of a tensor lie in its storage. Users never see it: every reading of values is row-major.
enum Layout: Sendable {
  /// Dense, in logical order, from the start of the storage.
  case rowMajor
  /// A view: one stride per axis and a start, all in elements. Channels-last is one of these.
  case strided([Int], offset: Int)
  /// Blocked, as a primitive produced it.
  case blocked(MemoryDescriptor)

  /// The simplest case that describes these strides.
  static func strides(_ strides: [Int], offset: Int, shape: Shape) -> Layout {
    if offset == 0, isDense(strides, shape) { return .rowMajor }
    return .strided(strides, offset: offset)
  }

  /// True when the strides are those of a dense row-major tensor; axes of one element do not matter.
  static func isDense(_ strides: [Int], _ shape: Shape) -> Bool {
    var expected = 1
    for axis in shape.indices.reversed() where shape[axis] != 1 {
      if strides[axis] != expected { return false }
      expected *= shape[axis]
    }
    return true
  }

  /// True when each stride is at least what everything inside it reaches: oneDNN describes no others. Every second one of nine
  /// elements reaches 5 · 2 > 9, though nothing overlaps.
  static func areNested(_ strides: [Int], _ shape: Shape) -> Bool {
    if shape.contains(0) { return true }
    var reach = 1
    let order = shape.indices.sorted { (strides[$0], shape[$0]) < (strides[$1], shape[$1]) }
    for axis in order where strides[axis] != 0 {
      if strides[axis] < reach { return false }
      reach = strides[axis] * shape[axis]
    }
    return true
  }
}
