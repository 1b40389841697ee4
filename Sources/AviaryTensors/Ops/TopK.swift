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
}
