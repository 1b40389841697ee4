/// Steps through the positions of a shape in row-major order and keeps the offset into a strided buffer.
struct Odometer {
  private let shape: [Int]
  private let strides: [Int]
  private var position: [Int]
  private(set) var offset = 0

  /// Begins at the `start`-th position.
  init(shape: [Int], strides: [Int], start: Int = 0) {
    self.shape = shape
    self.strides = strides
    position = [Int](repeating: 0, count: shape.count)
    var rest = start
    for axis in shape.indices.reversed() {
      position[axis] = rest % shape[axis]
      rest /= shape[axis]
      offset += position[axis] * strides[axis]
    }
  }

  @inline(__always)
  mutating func advance() {
    var axis = shape.count - 1
    while axis >= 0 {
      position[axis] += 1
      offset += strides[axis]
      if position[axis] < shape[axis] { return }
      offset -= strides[axis] * shape[axis]
      position[axis] = 0
      axis -= 1
    }
  }
}
