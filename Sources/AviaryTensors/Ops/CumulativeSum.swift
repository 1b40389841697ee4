/// Running totals along one axis.
struct CumulativeSum: Operation {
  let axis: Int
  var isReversed = false
  var onnxName: String { "CumSum" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] { [TensorSpec(inputs[0].shape)] }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let shape = inputs[0].shape
    let inner = shape[(axis + 1)...].reduce(1, *)
    let count = shape[axis]
    let result = inputs[0].cast(to: .float32).withUnsafeValues { values in
      Tensor(shape) { result in
        for block in 0..<(count == 0 ? 0 : values.count / (count * inner)) {
          for k in 0..<inner {
            var total: Float = 0
            for step in 0..<count {
              let index = (block * count + (isReversed ? count - 1 - step : step)) * inner + k
              total += values[index]
              result[index] = total
            }
          }
        }
      }
    }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    [CumulativeSum(axis: axis, isReversed: !isReversed)(context.upstream)]
  }
}

extension Tensor {
  /// Running totals along `axis`.
  public func cumulativeSum(_ axis: Int) -> Tensor {
    CumulativeSum(axis: resolved(axis: axis, rank: rank))(self)
  }
}
