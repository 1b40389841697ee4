/// The k largest (or smallest) values along the last axis in order, and where they stood.
///
/// Results: values, and int64 positions. Equal values keep their order; a NaN counts as the largest.
struct TopK: Operation {
  let count: Int
  let isDescending: Bool
  var onnxName: String { "TopK" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let shape = inputs[0].shape
    require(
      (shape.last ?? 0) >= count && count >= 0,
      "the \(count) best of \(shape.last ?? 0) values were asked for")
    let result = shape.dropLast() + [count]
    return [TensorSpec(Array(result)), TensorSpec(Array(result), .int64)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let shape = outputs(for: inputs.map(\.spec))[0].shape
    let extent = inputs[0].shape.last!
    let source = inputs[0].cast(to: .float32)
    let order: [Int] = source.withUnsafeValues { values in
      (0..<(extent == 0 ? 0 : values.count / extent)).flatMap { row in
        let line = values.baseAddress! + row * extent
        let sorted = (0..<extent).sorted { a, b in
          let (x, y) = (line[a], line[b])
          if x == y || x.isNaN && y.isNaN { return a < b }
          if x.isNaN || y.isNaN { return x.isNaN == isDescending }
          return isDescending ? x > y : x < y
        }
        return sorted.prefix(count).map { row * extent + $0 }
      }
    }
    let values = source.withUnsafeValues { values in order.map { values[$0] } }
    let positions = Tensor(order.map { Int64($0 % extent) }, shape: shape)
    context.save(positions)
    return [Tensor(values, shape: shape), positions]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let zeros = Tensor.zeros(context.inputSpecs[0].shape)
    return [zeros.scatterAdded(-1, context.saved[0], context.upstream)]
  }
}

extension Tensor {
  /// The `count` largest values along the last axis in falling order, and their int64 positions.
  public func topK(_ count: Int) -> (values: Tensor, positions: Tensor) {
    let results = TopK(count: count, isDescending: true).apply([self])
    return (results[0], results[1])
  }

  /// All values along the last axis in order, and their int64 positions.
  public func sorted(isDescending: Bool = false) -> (values: Tensor, positions: Tensor) {
    let results = TopK(count: shape.last!, isDescending: isDescending).apply([self])
    return (results[0], results[1])
  }

  /// The int64 position of the largest value along `axis`, the first of equals, or of the first NaN.
  public func argMax(_ axis: Int = -1) -> Tensor { extremePosition(axis) { $0 > $1 } }
  /// The int64 position of the smallest value along `axis`, the first of equals, or of the first NaN.
  public func argMin(_ axis: Int = -1) -> Tensor { extremePosition(axis) { $0 < $1 } }

  private func extremePosition(_ axis: Int, isBetter: (Float, Float) -> Bool) -> Tensor {
    let moved = transposed(resolved(axis: axis, rank: rank), -1)
    let shape = moved.shape
    require((shape.last ?? 0) > 0, "the position of the extreme of no values")
    if isAbstract { return .abstract(TensorSpec(shape.dropLast(), .int64)) }
    let extent = shape.last!
    let positions = moved.cast(to: .float32).withUnsafeValues { values in
      stride(from: 0, to: values.count, by: extent).map { start in
        var best = 0
        for index in 1..<extent where !values[start + best].isNaN {
          let value = values[start + index]
          if value.isNaN || isBetter(value, values[start + best]) { best = index }
        }
        return Int64(best)
      }
    }
    let swapped = Tensor(positions, shape: shape.dropLast() + [1])
    return swapped.transposed(resolved(axis: axis, rank: rank), -1).squeezed(axis)
  }
}
