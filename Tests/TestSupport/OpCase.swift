import AviaryTensors

/// One way of calling an operation: what its gradient is checked with.
public struct OpCase: Sendable, CustomStringConvertible {
  public let description: String
  public let inputs: [Tensor]
  /// How far analytic and numeric gradient may be apart, as a share of the largest gradient.
  public let tolerance: Float
  public let body: @Sendable ([Tensor]) -> Tensor

  public init(
    _ description: String, _ inputs: [Tensor], tolerance: Float = 1e-2,
    _ body: @escaping @Sendable ([Tensor]) -> Tensor
  ) {
    self.description = description
    self.inputs = inputs
    self.tolerance = tolerance
    self.body = body
  }
}

/// Values for tests: the same for the same shape and seed.
public func sample(_ shape: Shape, seed: UInt64 = 1, in range: Range<Float> = -1..<1) -> Tensor {
  .uniform(shape, in: range, using: RandomGenerator(seed: seed))
}

/// Distinct values with gaps, in random order: nothing changes place under a small step, as maxima and sorting need.
public func spread(_ shape: Shape, seed: UInt64 = 1) -> Tensor {
  let order = Tensor.permutation(shape.elementCount, using: RandomGenerator(seed: seed))
  return Tensor(order.map { Float($0) * 0.1 - Float(order.count) * 0.05 + 0.03 }, shape: shape)
}

/// The largest difference of two tensors as a share of the largest expected value.
public func relativeDifference(_ actual: Tensor, _ expected: Tensor) -> Float {
  guard actual.shape == expected.shape else { return .infinity }
  let scale = max(expected.values().map(abs).max() ?? 0, .leastNormalMagnitude)
  let difference = zip(actual.values(), expected.values()).map { a, b in
    a.isNaN || b.isNaN ? Float.infinity : abs(a - b)
  }
  return (difference.max() ?? 0) / scale
}

/// The gradient of Σ body(inputs)·weights by central differences of step `step`, for each input.
public func numericGradients(_ test: OpCase, weights: Tensor, step: Float = 1e-2) -> [Tensor] {
  func loss(_ inputs: [Tensor]) -> Double {
    zip(test.body(inputs).values(), weights.values()).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
  return test.inputs.indices.map { index in
    var inputs = test.inputs
    let values = inputs[index].values()
    let gradient = values.indices.map { element -> Float in
      func shifted(_ by: Float) -> Double {
        var moved = values
        moved[element] += by
        inputs[index] = Tensor(moved, shape: test.inputs[index].shape)
        return loss(inputs)
      }
      return Float((shifted(step) - shifted(-step)) / Double(2 * step))
    }
    return Tensor(gradient, shape: test.inputs[index].shape)
  }
}
