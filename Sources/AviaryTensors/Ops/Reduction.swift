/// Sum, mean, largest or smallest value along some axes.
struct Reduction: Operation {
  enum Kind: String, Sendable { case sum, mean, maximum, minimum }

  let kind: Kind
  /// In rising order.
  let axes: [Int]
  let keepsAxes: Bool

  var onnxName: String {
    switch kind {
    case .sum: "ReduceSum"
    case .mean: "ReduceMean"
    case .maximum: "ReduceMax"
    case .minimum: "ReduceMin"
    }
  }

  var keeps: Kept { kind == .sum || kind == .mean ? [] : [.inputs, .outputs] }

  private func keptShape(_ shape: Shape) -> Shape { shape.indices.map { axes.contains($0) ? 1 : shape[$0] } }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let shape = inputs[0].shape
    require(
      kind == .sum || axes.allSatisfy { shape[$0] > 0 }, "\(kind): nothing to reduce in \(shape.shapeText)")
    return [
      TensorSpec(keepsAxes ? keptShape(shape) : shape.indices.filter { !axes.contains($0) }.map { shape[$0] })
    ]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    var result = inputs[0].cast(to: .float32).rowMajor()
    let shape = result.shape
    // Runs of neighbouring axes are one reduction each, the innermost first.
    var rest = axes[...]
    while let last = rest.popLast() {
      var first = last
      while rest.last == first - 1 { first = rest.popLast()! }
      result = reduce(result, first...last)
    }
    if kind == .mean {
      let count = axes.reduce(1) { $0 * shape[$1] }
      result = result.affine(scale: 1 / Float(count), shift: 0)
    }
    return [result.reshaped(outputs(for: inputs.map(\.spec))[0].shape)]
  }

  private func reduce(_ input: Tensor, _ range: ClosedRange<Int>) -> Tensor {
    let outer = input.shape[..<range.lowerBound].reduce(1, *)
    let count = input.shape[range].reduce(1, *)
    let inner = input.shape[(range.upperBound + 1)...].reduce(1, *)
    var shape = input.shape
    for axis in range { shape[axis] = 1 }
    return input.withUnsafeValues { values in
      Tensor(shape) { (result: UnsafeMutableBufferPointer<Float>) in
        switch kind {
        case .sum, .mean: RowReduction.run(LaneSum(), values, result, outer, count, inner)
        case .maximum: RowReduction.run(LaneMaximum(), values, result, outer, count, inner)
        case .minimum: RowReduction.run(LaneMinimum(), values, result, outer, count, inner)
        }
      }
    }
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let shape = context.inputSpecs[0].shape
    let upstream = context.upstream.reshaped(keptShape(shape))
    switch kind {
    case .sum: return [upstream.expanded(to: shape)]
    case .mean:
      let count = axes.reduce(1) { $0 * shape[$1] }
      return [upstream.affine(scale: 1 / Float(count), shift: 0).expanded(to: shape)]
    case .maximum, .minimum:
      // Equal extremes share the gradient, as PyTorch's amax and amin do.
      let input = context.input(0)
      let hits = (input .== context.output(0).reshaped(keptShape(shape))).cast(to: .float32)
      return [hits * (upstream / hits.sum(axes, keepsAxes: true))]
    }
  }
}

/// How sixteen values at once are reduced. A type and no closure, for the reason that ``BinaryFunction`` gives.
private protocol LaneFunction {
  typealias Lanes = SIMD16<Float>
  var start: Float { get }
  func callAsFunction(_ a: Lanes, _ b: Lanes) -> Lanes
}

private struct LaneSum: LaneFunction {
  let start: Float = 0
  func callAsFunction(_ a: Lanes, _ b: Lanes) -> Lanes { a + b }
}

/// A NaN stays.
private struct LaneMaximum: LaneFunction {
  let start = -Float.infinity
  func callAsFunction(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: (b .> a) .| (b .!= b)) }
}

private struct LaneMinimum: LaneFunction {
  let start = Float.infinity
  func callAsFunction(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: (b .< a) .| (b .!= b)) }
}

/// Reduces the middle of three extents, in sixteen lanes.
private enum RowReduction {
  typealias Lanes = SIMD16<Float>

  static func run<Function: LaneFunction>(
    _ combine: Function, _ values: UnsafeBufferPointer<Float>, _ result: UnsafeMutableBufferPointer<Float>,
    _ outer: Int,
    _ count: Int, _ inner: Int
  ) {
    let start = combine.start
    guard let source = values.baseAddress, let target = result.baseAddress, outer * inner > 0 else { return }
    func one(_ a: Float, _ b: Float) -> Float { combine(Lanes(repeating: a), Lanes(repeating: b))[0] }
    Parallel.forEachRange(outer, grain: max(1, 32_768 / max(count * inner, 1))) { rows in
      for row in rows {
        let source = source + row * count * inner
        let target = target + row * inner
        if inner == 1 {
          // Blocks of partial results keep the rounding error of long sums small.
          var total = Lanes(repeating: start)
          var index = 0
          while index + 16 <= count {
            var partial = Lanes(repeating: start)
            let end = min(count - 15, index + 4096)
            while index < end {
              partial = combine(partial, UnsafeRawPointer(source + index).loadUnaligned(as: Lanes.self))
              index += 16
            }
            total = combine(total, partial)
          }
          var value = start
          for lane in 0..<16 { value = one(value, total[lane]) }
          while index < count {
            value = one(value, source[index])
            index += 1
          }
          target[0] = value
        } else {
          for k in 0..<inner { target[k] = start }
          for index in 0..<count {
            let line = source + index * inner
            var k = 0
            while k + 16 <= inner {
              let old = UnsafeRawPointer(target + k).loadUnaligned(as: Lanes.self)
              let new = combine(old, UnsafeRawPointer(line + k).loadUnaligned(as: Lanes.self))
              UnsafeMutableRawPointer(target + k).storeBytes(of: new, as: Lanes.self)
              k += 16
            }
            while k < inner {
              target[k] = one(target[k], line[k])
              k += 1
            }
          }
        }
      }
    }
  }
}

extension Tensor {
  private func reduced(_ kind: Reduction.Kind, _ axes: [Int]?, _ keepsAxes: Bool) -> Tensor {
    let axes = (axes ?? Array(shape.indices)).map { resolved(axis: $0, rank: rank) }.sorted()
    if axes.isEmpty && kind != .sum { return self }
    return Reduction(kind: kind, axes: axes, keepsAxes: keepsAxes)(self)
  }

  /// The sum along `axes`, by default of everything.
  public func sum(_ axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor { reduced(.sum, axes, keepsAxes) }
  /// The mean along `axes`, by default of everything.
  public func mean(_ axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    reduced(.mean, axes, keepsAxes)
  }
  /// The largest value along `axes`, by default of everything.
  public func amax(_ axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    reduced(.maximum, axes, keepsAxes)
  }
  /// The smallest value along `axes`, by default of everything.
  public func amin(_ axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    reduced(.minimum, axes, keepsAxes)
  }

  /// The variance along `axes`: divided by n, or by n − 1 when `isUnbiased`.
  public func variance(_ axes: [Int]? = nil, isUnbiased: Bool = false, keepsAxes: Bool = false) -> Tensor {
    let deviations = (self - mean(axes, keepsAxes: true)).square()
    let count = (axes ?? Array(shape.indices)).reduce(1) { $0 * shape[resolved(axis: $1, rank: rank)] }
    return deviations.sum(axes, keepsAxes: keepsAxes) * (1 / Float(isUnbiased ? count - 1 : count))
  }

  /// (Σ|x|ᵖ)^(1/p) along `axes`.
  public func norm(_ p: Float = 2, _ axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    if p == 1 { return abs().sum(axes, keepsAxes: keepsAxes) }
    if p == 2 { return square().sum(axes, keepsAxes: keepsAxes).squareRoot() }
    if p == .infinity { return abs().amax(axes, keepsAxes: keepsAxes) }
    return abs().power(p).sum(axes, keepsAxes: keepsAxes).power(1 / p)
  }

  /// With 0 in place of ±∞: of what is taken off before exponentials and added again behind them.
  private var withoutInfinities: Tensor {
    select(abs() .== Tensor(Float.infinity), Tensor(Float(0)), self)
  }

  /// log Σ eˣ along `axes`, without overflow.
  public func logSumExp(_ axes: [Int]? = nil, keepsAxes: Bool = false) -> Tensor {
    let largest = amax(axes, keepsAxes: true).detached.withoutInfinities
    let sum = (self - largest).exp().sum(axes, keepsAxes: true).log() + largest
    return keepsAxes ? sum : sum.sum(axes)
  }
}
