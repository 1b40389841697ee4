import Synchronization

/// Element-by-element loops over two operands that follow NumPy's broadcasting rule.
enum BroadcastLoop {
  /// Writes `combine(a, b)` for every position of `shape` to a new row-major tensor.
  static func run<Function: BinaryFunction>(
    _ combine: Function, _ a: Tensor, _ b: Tensor, shape: Shape
  ) -> Tensor {
    let a = a.plain()
    let b = b.plain()
    let plan = BroadcastPlan(shape: shape, a.broadcastStrides(to: shape), b.broadcastStrides(to: shape))
    let x = a.pointer.assumingMemoryBound(to: Function.Operand.self)
    let y = b.pointer.assumingMemoryBound(to: Function.Operand.self)
    defer { withExtendedLifetime((a, b)) {} }
    return Tensor(shape, of: Function.Result.self) { result in
      guard let out = result.baseAddress, result.count > 0 else { return }
      let inner = plan.inner
      Parallel.forEachRange(result.count / inner, grain: max(1, 32_768 / inner)) { rows in
        var left = Odometer(shape: plan.outer, strides: plan.outerStrides.0, start: rows.lowerBound)
        var right = Odometer(shape: plan.outer, strides: plan.outerStrides.1, start: rows.lowerBound)
        for row in rows {
          let x = x + left.offset
          let y = y + right.offset
          let out = out + row &* inner
          switch plan.innerStrides {
          case (1, 1): for i in 0..<inner { out[i] = combine(x[i], y[i]) }
          case (1, 0):
            let y = y[0]
            for i in 0..<inner { out[i] = combine(x[i], y) }
          case (0, 1):
            let x = x[0]
            for i in 0..<inner { out[i] = combine(x, y[i]) }
          case (let sx, let sy): for i in 0..<inner { out[i] = combine(x[i &* sx], y[i &* sy]) }
          }
          left.advance()
          right.advance()
        }
      }
    }
  }

  /// Adds `values` to what lies in `sum`, whose bytes nobody else reads; both lie alike.
  static func accumulate(_ values: Tensor, into sum: Tensor) {
    let count = sum.descriptor.byteCount / 4
    let from = values.pointer.assumingMemoryBound(to: Float.self)
    let to = sum.pointer.assumingMemoryBound(to: Float.self)
    Parallel.forEachRange(count, grain: 32_768) { range in
      for i in range { to[i] += from[i] }
    }
    withExtendedLifetime((values, sum)) {}
  }

  /// `values` where `mask` is positive or a NaN, else 0: a ReLU's gradient by its result, in the result's layout.
  static func masked(_ values: Tensor, where mask: Tensor) -> Tensor {
    runFlat(Masked(), values.reordered(to: mask.descriptor), mask)
  }

  /// As ``run(_:_:_:shape:)`` for operands that lie alike: over the bytes as they are, padding included.
  static func runFlat<Function: BinaryFunction>(_ combine: Function, _ a: Tensor, _ b: Tensor) -> Tensor
  where Function.Operand == Float, Function.Result == Float {
    let result = Tensor(a.descriptor, shape: a.shape)
    let count = a.descriptor.byteCount / 4
    let x = a.pointer.assumingMemoryBound(to: Float.self)
    let y = b.pointer.assumingMemoryBound(to: Float.self)
    let out = result.pointer.bindMemory(to: Float.self, capacity: count)
    Parallel.forEachRange(count, grain: 32_768) { range in
      for i in range { out[i] = combine(x[i], y[i]) }
    }
    withExtendedLifetime((a, b)) {}
    return result
  }
}

/// The positions of a broadcast, with axes that both operands walk alike merged into one.
struct BroadcastPlan {
  private(set) var outer: [Int] = []
  private(set) var outerStrides: ([Int], [Int]) = ([], [])
  private(set) var inner = 1
  private(set) var innerStrides = (1, 1)

  init(shape: Shape, _ a: [Int], _ b: [Int]) {
    var axes: [(extent: Int, a: Int, b: Int)] = []
    for axis in shape.indices where shape[axis] != 1 {
      if let last = axes.last, last.a == a[axis] * shape[axis], last.b == b[axis] * shape[axis] {
        axes[axes.count - 1] = (last.extent * shape[axis], a[axis], b[axis])
      } else {
        axes.append((shape[axis], a[axis], b[axis]))
      }
    }
    if let last = axes.popLast() {
      inner = last.extent
      innerStrides = (last.a, last.b)
    }
    outer = axes.map(\.extent)
    outerStrides = (axes.map(\.a), axes.map(\.b))
  }
}

extension Tensor {
  /// Whether a float32 value lies among the bytes, padding included.
  func contains(_ value: Float) -> Bool {
    let count = descriptor.byteCount / 4
    let values = pointer.assumingMemoryBound(to: Float.self)
    let isFound = Atomic<Bool>(false)
    Parallel.forEachRange(count, grain: 32_768) { range in
      var found = false
      for i in range { found = values[i] == value || found }
      if found { isFound.store(true, ordering: .relaxed) }
    }
    return withExtendedLifetime(self) { isFound.load(ordering: .relaxed) }
  }

  /// Itself when its layout can be described by strides, else row-major.
  func plain() -> Tensor {
    if case .blocked = layout { return rowMajor() }
    return self
  }

  /// The strides of a plain tensor.
  var strides: [Int] {
    if case .strided(let strides, _) = layout { return strides }
    return shape.rowMajorStrides
  }

  /// Strides that walk this tensor over the positions of a larger shape: 0 along repeated axes.
  func broadcastStrides(to target: Shape) -> [Int] {
    let missing = target.count - rank
    let own = strides
    return target.indices.map { axis in
      axis < missing || shape[axis - missing] == 1 ? 0 : own[axis - missing]
    }
  }
}
