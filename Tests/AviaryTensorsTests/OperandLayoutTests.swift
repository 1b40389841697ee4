import TestSupport
import Testing

@testable import AviaryTensors

/// Ways in which the same values can lie in memory.
enum Arrangement: CaseIterable, Sendable {
  /// The axes in reverse order.
  case reversed
  /// The second axis innermost: channels-last.
  case channelsLast
  /// Part of a larger tensor, with gaps and an offset.
  case slice
  /// Blocks of sixteen channels, filled up with zeros.
  case blocked

  func callAsFunction(_ x: Tensor) -> Tensor {
    guard x.rank > 0, x.count > 0 else { return x }
    switch self {
    case .reversed:
      let order = Array(x.shape.indices.reversed())
      return x.permuted(order).copied().permuted(order)
    case .channelsLast:
      guard x.rank > 2 else { return x }
      let back = [0, x.rank - 1] + (1..<(x.rank - 1))
      return x.permuted([0] + (2..<x.rank) + [1]).copied().permuted(back)
    case .slice:
      let axis = x.rank - 1
      return concatenate([x, x, x], axis: axis).copied().sliced(axis, x.shape[axis]..<(2 * x.shape[axis]))
    case .blocked:
      guard x.dtype == .float32, 3...5 ~= x.rank else { return x }
      return x.reordered(to: .blockedChannels(x.shape, block: 16))
    }
  }
}

@Suite("Operands in any layout")
struct OperandLayoutTests {
  @Test("arrangements keep values and shapes", arguments: Arrangement.allCases)
  func arrangements(arrangement: Arrangement) {
    for shape in [[5], [3, 4], [2, 5, 6], [2, 20, 3, 4], [1, 3, 2, 4, 2]] {
      let x = sample(shape)
      #expect(arrangement(x).shape == shape)
      #expect(arrangement(x).values() == x.values())
    }
  }

  @Test(
    "every operation and its gradient give the same for operands in any layout",
    arguments: GradientTests.cases)
  func operations(test: OpCase) {
    func results(_ inputs: [Tensor]) -> [Tensor] {
      let output = test.body(inputs)
      let weights = sample(output.shape, seed: 99)
      return [output] + valueAndGradients(at: inputs) { (test.body($0) * weights).sum() }.gradients
    }
    let expected = results(test.inputs)
    for arrangement in Arrangement.allCases {
      for (index, actual) in results(test.inputs.map { arrangement($0) }).enumerated() {
        #expect(relativeDifference(actual, expected[index]) < 1e-4, "\(arrangement), result \(index)")
      }
    }
  }

  @Test("the gradient that arrives may lie in any layout", arguments: GradientTests.cases)
  func upstreams(test: OpCase) {
    let weights = sample(test.body(test.inputs).shape, seed: 99)
    func results(_ weights: Tensor) -> [Tensor] {
      let leaves = test.inputs.map { _ in Leaf() }
      let output = withRecording { test.body(zip(test.inputs, leaves).map { $0.tracked(as: $1) }) }
      return zip(backward(from: output, seed: weights, to: leaves), test.inputs).map {
        $0 ?? .zeros($1.shape)
      }
    }
    let expected = results(weights)
    for arrangement in Arrangement.allCases {
      for (index, actual) in results(arrangement(weights)).enumerated() {
        #expect(relativeDifference(actual, expected[index]) < 1e-4, "\(arrangement), input \(index)")
      }
    }
  }

  @Test("no element-wise function falls to a slow kernel on blocks filled up with zeros")
  func paddedBlocks() {
    let x = Arrangement.blocked(sample([2, 20, 6, 6], in: 0.1..<2))
    #expect(x.descriptor.isPadded)
    let activations: [Activation] = [
      .relu, .relu6, .leakyReLU(), .elu(), .gelu, .geluTanh, .silu, .sigmoid, .tanh, .hardSigmoid, .hardSwish,
      .softplus,
    ]
    let functions =
      activations.map { activation in { (x: Tensor) in activation(x) } } + [
        { $0.exp() }, { $0.log() }, { $0.squareRoot() }, { $0.square() }, { $0.abs() }, { $0.power(1.5) },
        { $0 * 2 + 1 }, { $0.clipped(0.5, 1) },
      ]
    for (index, function) in functions.enumerated() {
      PrimitiveCache.removeAll()
      _ = gradient(at: x) { function($0).sum() }
      let slow = PrimitiveCache.implementations.filter { $0.implementation.hasPrefix("ref") }
      #expect(slow.isEmpty, "function \(index)")
    }
  }

  @Test("views of every element type", arguments: DType.allCases)
  func types(dtype: DType) {
    let x = sample([3, 4, 5], in: -100..<100).cast(to: dtype)
    let expected = x.cast(to: .float32)
    for arrangement in [Arrangement.reversed, .channelsLast, .slice] {
      #expect(arrangement(x).cast(to: .float32).values() == expected.values())
    }
    #expect(
      x.permuted([2, 0, 1]).sliced(0, 1..<5, step: 2).cast(to: .float32).values()
        == expected.permuted([2, 0, 1]).sliced(0, 1..<5, step: 2).values())
  }

  @Test("tensors without elements go through every kind of operation")
  func empty() {
    let pictures = Tensor.zeros([0, 3, 8, 8])
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
    #expect(convolution(pictures, sample([4, 3, 3, 3]), bias: sample([4]), geometry).shape == [0, 4, 8, 8])
    #expect(pictures.maxPooled(PoolingGeometry(kernel: [2, 2])).shape == [0, 3, 4, 4])
    #expect(pictures.relu().shape == pictures.shape)
    #expect((pictures + pictures * 2).shape == pictures.shape)
    #expect(pictures.permuted([1, 0, 3, 2]).shape == [3, 0, 8, 8])
    #expect(pictures.sum([0]).values().allSatisfy { $0 == 0 })
    #expect(linear(.zeros([0, 5]), sample([2, 5]), bias: sample([2])).shape == [0, 2])
    #expect(Tensor.zeros([0, 5]).softmax().shape == [0, 5])
    #expect(concatenate([Tensor.zeros([0, 5]), sample([2, 5])], axis: 0).shape == [2, 5])
    #expect(Tensor.zeros([0, 5]).matmul(sample([5, 2])).shape == [0, 2])
    #expect(Tensor.zeros([2, 0]).matmul(.zeros([0, 3])).values() == [0, 0, 0, 0, 0, 0])
  }

  @Test("tensors without elements go through normalization")
  func emptyNormalization() {
    let (one, zero) = (Tensor.ones([3]), Tensor.zeros([3]))
    let x = Tensor.zeros([0, 3, 4, 4])
    let result = batchNormalized(x, scale: one, shift: zero, mean: zero, variance: one, epsilon: 1e-5)
    #expect(result.shape == x.shape)
    #expect(layerNormalized(.zeros([0, 3]), scale: one, shift: zero, epsilon: 1e-5).shape == [0, 3])
    #expect(x.interpolated(to: [8, 8], .nearest).shape == [0, 3, 8, 8])
  }
}
