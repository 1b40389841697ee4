import TestSupport
import Testing

@testable import AviaryTensors

/// A convolution with filters of one pixel, for plans to fuse with what is around it.
func pointwise(_ x: Tensor, _ channels: Int, seed: UInt64) -> Tensor {
  convolution(
    x, sample([channels, x.shape[1], 1, 1], seed: seed), bias: sample([channels], seed: seed + 1),
    ConvolutionGeometry(stride: [1, 1], padding: .none(2)))
}

/// Convolutions with filters of one pixel beside depthwise ones, in plans.
@Suite("Pointwise convolutions")
struct PointwiseTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let input: Shape
    let outputs: Int
    var activation = Activation.relu6
    var adds = false
    var testDescription: String {
      "\(input.shapeText) to \(outputs), \(activation)\(adds ? ", added to another value" : "")"
    }
  }

  /// Whether this processor has the loop's vectors; without them plans have oneDNN's kernels, which must compute the same.
  private static let hasLoop = loop() != nil

  private static func loop(
    _ input: Shape = [1, 16, 9, 9], weights: Shape = [24, 16, 1, 1], stride: [Int] = [1, 1],
    padding: [Int] = [0, 0], groups: Int = 1, after: EltwiseKernel? = nil
  ) -> PointwiseLoop? {
    PointwiseLoop(
      ConvolutionGeometry(stride: stride, padding: Padding(padding), groups: groups), input: input,
      weights: weights, accumulates: false, after: after, isAfterDepthwise: false)
  }

  private static func depthwise(_ x: Tensor) -> Tensor {
    convolution(
      x, sample([x.shape[1], 1, 3, 3], seed: 3), bias: sample([x.shape[1]], seed: 4),
      ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]), groups: x.shape[1]))
  }

  private static func count(_ graph: CompiledGraph, _ x: Tensor) -> Int {
    graph.profile([x], repetitions: 1).count { $0.implementation == "pointwise:avx512" }
  }

  @Test(
    "after a depthwise convolution, and before one that is not its only reader, as operation by operation",
    arguments: [
      // One vector, and the most pixels at a time, one less and one more.
      Case(input: [1, 16, 1, 2], outputs: 16), Case(input: [1, 16, 4, 7], outputs: 16),
      Case(input: [1, 16, 3, 9], outputs: 16), Case(input: [1, 16, 1, 29], outputs: 16),
      // Channels that fill no block.
      Case(input: [1, 7, 11, 13], outputs: 40), Case(input: [2, 40, 15, 9], outputs: 7),
      Case(input: [3, 24, 14, 14], outputs: 144, activation: .silu),
      Case(input: [1, 96, 7, 7], outputs: 240, activation: .hardSwish),
      // Several strips.
      Case(input: [1, 1000, 14, 14], outputs: 33, activation: .relu), Case(input: [5, 3, 8, 8], outputs: 17),
      Case(input: [1, 24, 12, 10], outputs: 24, adds: true),
      Case(input: [1, 72, 14, 14], outputs: 72, activation: .relu, adds: true),
      Case(input: [1, 500, 5, 3], outputs: 70, activation: .silu),
      Case(input: [2, 33, 28, 28], outputs: 33, activation: .relu, adds: true),
    ])
  func equalsOperations(test: Case) {
    let x = sample(test.input, seed: 5)
    let body: (Tensor) -> Tensor = { x in
      let hidden = test.activation(pointwise(x, test.outputs, seed: 6))
      let result = pointwise(Self.depthwise(hidden), test.outputs, seed: 8)
      return test.activation(test.adds ? result + x : result) * hidden
    }
    let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
    let first = compiled(x)
    #expect(relativeDifference(first, body(x)) < 3e-6)
    #expect(compiled(x).values() == first.values())
    #expect(Self.count(compiled, x) == (Self.hasLoop ? 2 : 0))
  }

  @Test("after squeeze-and-excitation")
  func afterExcitation() {
    let x = sample([1, 32, 9, 9], seed: 5)
    let body: (Tensor) -> Tensor = { x in
      let hidden = Activation.silu(Self.depthwise(Activation.silu(pointwise(x, 32, seed: 6))))
      let squeezed = Activation.silu(pointwise(hidden.adaptiveAveragePooled(to: [1, 1]), 8, seed: 8))
      return pointwise(hidden * pointwise(squeezed, 32, seed: 10).sigmoid(), 16, seed: 12)
    }
    let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
    #expect(relativeDifference(compiled(x), body(x)) < 5e-6)
    #expect(Self.count(compiled, x) == (Self.hasLoop ? 1 : 0))
  }

  @Test("away from depthwise convolutions they are oneDNN's")
  func alone() {
    let x = sample([1, 16, 9, 9], seed: 5)
    let body: (Tensor) -> Tensor = { x in
      pointwise(pointwise(x, 32, seed: 6).relu(), 16, seed: 8)
    }
    let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
    #expect(relativeDifference(compiled(x), body(x)) < 2e-6)
    #expect(Self.count(compiled, x) == 0)
  }

  @Test("other convolutions are oneDNN's")
  func others() {
    #expect((Self.loop([4, 16, 1, 2]) != nil) == Self.hasLoop)
    #expect(Self.loop([0, 16, 9, 9]) == nil)
    #expect(Self.loop([1, 16, 1, 1]) == nil)
    #expect(Self.loop(weights: [24, 16, 3, 3]) == nil)
    #expect(Self.loop(weights: [24, 8, 1, 1], groups: 2) == nil)
    #expect(Self.loop([1, 1024, 9, 9], weights: [257, 1024, 1, 1]) == nil)
    #expect(Self.loop(stride: [2, 2]) == nil)
    #expect(Self.loop(padding: [1, 1]) == nil)
    #expect(Self.loop(after: EltwiseKernel(function: .logistic)) == nil)
    #expect(Self.loop(after: EltwiseKernel(function: .relu, alpha: 0.1)) == nil)
  }

  @Test("the pieces of blocks of channels are each row once")
  func pieces() {
    for (shape, fewestRows, fewestCuts) in [
      ([1, 16, 7, 7], 6, 1), ([3, 100, 13, 2], 6, 1), ([2, 8, 1, 1], 10, 1), ([1, 960, 112, 3], 6, 1),
      ([1, 128, 4, 50], 24, 13), ([1, 64, 28, 28], 24, 3), ([2, 16, 15, 30], 24, 20),
    ] {
      let blocks = ChannelBlocks(shape, fewestRows: fewestRows, fewestCuts: fewestCuts)
      var seen = [Int](repeating: 0, count: blocks.images * blocks.blocks * blocks.height)
      for index in 0..<blocks.pieceCount {
        let piece = blocks[index]
        #expect(!piece.rows.isEmpty && piece.plane == piece.image * blocks.blocks + piece.block)
        for row in piece.rows { seen[piece.plane * blocks.height + row] += 1 }
      }
      #expect(seen.allSatisfy { $0 == 1 })
    }
  }
}
