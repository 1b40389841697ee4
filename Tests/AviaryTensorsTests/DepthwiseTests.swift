import Foundation
import TestSupport
import Testing

@testable import AviaryTensors

/// Whether this processor has the loop's vectors; without them plans have oneDNN's kernels, which must compute the same.
private let hasLoop =
  DepthwiseLoop(
    ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]), groups: 16), input: [1, 16, 8, 8],
    weights: [16, 1, 3, 3], before: nil, after: nil) != nil

/// Depthwise convolutions, and squeeze-and-excitation of their results, in plans.
@Suite("Depthwise convolutions")
struct DepthwiseTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let input: Shape
    let kernel: Int
    var stride = 1
    var padding: Padding
    var activation = Activation.silu
    /// Of the operand's maker, channels that it reads.
    var source = 16
    var testDescription: String {
      "\(source) to \(input.shapeText), kernel \(kernel), stride \(stride), \(padding.before) \(padding.after), \(activation)"
    }
  }

  static let cases = [
    Case(input: [1, 16, 8, 8], kernel: 3, padding: Padding([1, 1])),
    Case(input: [1, 32, 56, 56], kernel: 3, padding: Padding([1, 1])),
    Case(
      input: [2, 40, 15, 9], kernel: 3, stride: 2, padding: Padding(before: [0, 0], after: [1, 1]), source: 40
    ),
    Case(input: [1, 7, 12, 13], kernel: 5, padding: Padding([2, 2]), activation: .relu6, source: 7),
    Case(input: [1, 24, 30, 31], kernel: 5, stride: 2, padding: Padding(before: [1, 2], after: [2, 2])),
    Case(input: [3, 20, 9, 40], kernel: 7, padding: Padding([3, 3]), activation: .hardSwish, source: 33),
    Case(input: [1, 16, 3, 2], kernel: 5, padding: Padding([4, 4]), activation: .relu),
    Case(input: [1, 16, 2, 9], kernel: 3, stride: 2, padding: Padding(before: [2, 2], after: [3, 0])),
    Case(input: [1, 96, 112, 20], kernel: 3, stride: 2, padding: .none(2), activation: .relu),
    Case(input: [1, 16, 57, 112], kernel: 3, padding: Padding([1, 1]), activation: .relu6, source: 96),
  ]

  private static func depthwise(_ x: Tensor, _ test: Case) -> Tensor {
    let channels = x.shape[1]
    return convolution(
      x, sample([channels, 1, test.kernel, test.kernel], seed: 3), bias: sample([channels], seed: 4),
      ConvolutionGeometry(
        stride: [test.stride, test.stride], padding: test.padding, groups: channels))
  }

  private static func implementations(_ graph: CompiledGraph, _ x: Tensor) -> [String] {
    graph.profile([x], repetitions: 1).map(\.implementation)
  }

  @Test(
    "after another convolution, with activations, as operation by operation", arguments: cases, [1, 3])
  func equalsOperations(test: Case, sourceKernel: Int) {
    let x = sample([test.input[0], test.source] + test.input.dropFirst(2), seed: 5)
    let body: (Tensor) -> Tensor = { x in
      let made = convolution(
        x, sample([test.input[1], test.source, sourceKernel, sourceKernel], seed: 6),
        bias: sample([test.input[1]], seed: 7),
        ConvolutionGeometry(stride: [1, 1], padding: Padding([sourceKernel / 2, sourceKernel / 2])))
      return test.activation(Self.depthwise(test.activation(made), test))
    }
    let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
    let first = compiled(x)
    // Larger filters may be Winograd's.
    #expect(relativeDifference(first, body(x)) < (sourceKernel == 1 ? 3e-6 : 2e-5))
    #expect(compiled(x).values() == first.values())
    let kernels = compiled.profile([x], repetitions: 1).filter { $0.name != "reorder" }.map(\.implementation)
    #expect(kernels.contains("depthwise:avx512") == hasLoop)
    // A pointwise convolution is part of the loop.
    if hasLoop, sourceKernel == 1 { #expect(kernels.count == 1) }
  }

  @Test("what a pointwise convolution in the loop reads is not overwritten before")
  func operandOfExpansion() {
    // Of two images, so that nothing is made inside the concatenation.
    let test = Case(input: [2, 48, 10, 10], kernel: 3, padding: Padding([1, 1]))
    let x = sample([2, 16, 10, 10])
    let body: (Tensor) -> Tensor = { x in
      let read = pointwise(x, 16, seed: 1)
      let expanded = pointwise(read, 48, seed: 3)
      // Made in place when nobody reads the operand any more.
      let other = read.tanh()
      return concatenate([Self.depthwise(expanded, test), other], axis: 1)
    }
    let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
    #expect(relativeDifference(compiled(x), body(x)) < 2e-6)
  }

  @Test("an activation that others read too stays where it is")
  func sharedOperand() {
    let test = Case(input: [1, 16, 10, 10], kernel: 3, padding: Padding([1, 1]))
    let x = sample(test.input)
    let body: (Tensor) -> Tensor = { x in
      let hidden = Activation.silu(pointwise(x, 16, seed: 1))
      return Self.depthwise(hidden, test) * hidden
    }
    let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
    #expect(relativeDifference(compiled(x), body(x)) < 2e-6)
  }

  @Test("activations keep their values far from zero")
  func largeValues() {
    var values: [Float] = (0..<256).map { Float($0 - 128) * ($0 % 3 == 0 ? 1 : 0.1) }
    values += [-1e30, 1e30, -88, 88]
    values += [Float](repeating: 0, count: 12)
    let x = Tensor(values, shape: [1, 16, 17, 1])
    for activation in [Activation.silu, .hardSwish] {
      let identity = Tensor((0..<16 * 9).map { $0 % 9 == 4 ? Float(1) : 0 }, shape: [16, 1, 3, 3])
      let body: (Tensor) -> Tensor = { x in
        activation(
          convolution(
            x, identity, ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]), groups: 16)))
      }
      let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
      for (found, value) in zip(compiled(x).values(), values) {
        let x = Double(value)
        let exact = activation == .silu ? x / (1 + exp(-x)) : x * min(max(x / 6 + 0.5, 0), 1)
        #expect(
          abs(Double(found) - exact) <= (3e-7 + 6e-8 * min(abs(x), 100)) * abs(exact) + 1e-36,
          "\(activation) of \(value)")
      }
    }
  }

  struct Gates: Sendable, CustomTestStringConvertible {
    let channels: Int
    let squeezed: Int
    let activation: Activation
    let gate: Activation
    var images = 1
    var testDescription: String { "\(images)×\(channels) to \(squeezed), \(activation), \(gate)" }
  }

  static let gates = [
    Gates(channels: 32, squeezed: 8, activation: .silu, gate: .sigmoid),
    Gates(channels: 24, squeezed: 17, activation: .relu, gate: .hardSigmoid, images: 3),
    Gates(channels: 7, squeezed: 1, activation: .relu, gate: .sigmoid, images: 2),
    Gates(channels: 672, squeezed: 28, activation: .silu, gate: .sigmoid),
  ]

  private static func excited(_ hidden: Tensor, _ test: Gates) -> Tensor {
    let squeezed = test.activation(
      pointwise(hidden.adaptiveAveragePooled(to: [1, 1]), test.squeezed, seed: 8))
    return hidden * test.gate(pointwise(squeezed, hidden.shape[1], seed: 10))
  }

  @Test("squeeze-and-excitation is one loop after the convolution's", arguments: gates)
  func excitation(test: Gates) {
    let x = sample([test.images, test.channels, 21, 19], seed: 7)
    let convolution = Case(input: x.shape, kernel: 5, stride: 2, padding: Padding([2, 2]))
    let body: (Tensor) -> Tensor = { x in
      let hidden = Activation.silu(
        Self.depthwise(Activation.silu(pointwise(x, x.shape[1], seed: 6)), convolution))
      return pointwise(Self.excited(hidden, test), 16, seed: 12)
    }
    let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
    #expect(relativeDifference(compiled(x), body(x)) < 5e-6)
    #expect(Self.implementations(compiled, x).contains("excitation:avx512") == hasLoop)
  }

  @Test("a mean, a gate or values that others read too are made")
  func sharedExcitation() {
    let gates = Gates(channels: 16, squeezed: 4, activation: .relu, gate: .sigmoid)
    let convolution = Case(input: [1, 16, 9, 9], kernel: 3, padding: Padding([1, 1]))
    let x = sample(convolution.input)
    let shared: [(Tensor) -> Tensor] = [
      { x in
        let hidden = Self.depthwise(x, convolution)
        return Self.excited(hidden, gates) + hidden
      },
      { x in
        let hidden = Self.depthwise(x, convolution)
        let squeezed = pointwise(hidden.adaptiveAveragePooled(to: [1, 1]), 4, seed: 8).relu()
        let gate = pointwise(squeezed, 16, seed: 10).sigmoid()
        return hidden * gate + gate
      },
      { x in
        let hidden = Self.depthwise(x, convolution)
        let mean = hidden.adaptiveAveragePooled(to: [1, 1])
        let squeezed = pointwise(mean, 4, seed: 8).relu()
        return hidden * pointwise(squeezed, 16, seed: 10).sigmoid() + mean
      },
    ]
    for body in shared {
      let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
      #expect(relativeDifference(compiled(x), body(x)) < 2e-6)
      #expect(!Self.implementations(compiled, x).contains("excitation:avx512"))
    }
  }

  @Test("other convolutions are oneDNN's")
  func others() {
    func loop(
      _ input: Shape = [1, 16, 9, 9], weights: Shape = [16, 1, 3, 3], stride: [Int] = [1, 1],
      dilation: [Int] = [1, 1], groups: Int = 16, padding: [Int] = [1, 1], after: EltwiseKernel? = nil
    ) -> DepthwiseLoop? {
      DepthwiseLoop(
        ConvolutionGeometry(
          stride: stride, padding: Padding(padding), dilation: dilation, groups: groups), input: input,
        weights: weights, before: nil, after: after)
    }
    #expect((loop() != nil) == hasLoop)
    #expect(loop(weights: [32, 1, 3, 3]) == nil)
    #expect(loop(weights: [16, 2, 3, 3], groups: 8) == nil)
    #expect(loop(weights: [16, 1, 3, 5]) == nil)
    #expect(loop(weights: [16, 1, 9, 9], padding: [4, 4]) == nil)
    #expect(loop([0, 16, 9, 9]) == nil)
    #expect(loop(stride: [1, 2]) == nil)
    #expect(loop(stride: [3, 3]) == nil)
    #expect(loop(dilation: [2, 2]) == nil)
    #expect(loop(padding: [3, 3]) == nil)
    #expect(loop([1, 16, 9, 100_000]) == nil)
    #expect(loop(after: EltwiseKernel(function: .logistic)) == nil)
    #expect(loop(after: EltwiseKernel(function: .clip, alpha: 1, beta: 2)) == nil)
    #expect(loop(after: EltwiseKernel(function: .relu, alpha: 0.1)) == nil)
  }
}
