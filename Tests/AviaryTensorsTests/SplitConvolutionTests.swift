import TestSupport
import Testing

@testable import AviaryTensors

/// Whether oneDNN has F(4×4, 3×3) here.
private let hasWinograd =
  SplitConvolution(
    ConvolutionKernel(
      ConvolutionGeometry(stride: [1, 1], padding: .none(2)), input: [1, 64, 27, 27], weights: [64, 64, 5, 5])
  ) != nil

/// 5×5 convolutions as 3×3 ones of four times the channels.
@Suite(
  "Split convolutions", .enabled(if: hasWinograd, "this processor's kernels are others"))
struct SplitConvolutionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let input: Shape
    let filters: Int
    let padding: Padding
    var testDescription: String { "\(input.shapeText) to \(filters), \(padding.before) \(padding.after)" }
  }

  static let cases = [
    Case(input: [1, 64, 27, 27], filters: 192, padding: Padding([2, 2])),
    Case(input: [2, 16, 9, 12], filters: 32, padding: Padding([0, 0])),
    Case(input: [1, 32, 7, 5], filters: 16, padding: Padding(before: [1, 2], after: [2, 3])),
    Case(input: [3, 16, 5, 5], filters: 16, padding: Padding([4, 4])),
  ]

  private static func direct(_ x: Tensor, _ w: Tensor, _ bias: Tensor, _ padding: Padding) -> Tensor {
    withExactArithmetic {
      convolution(x, w, bias: bias, ConvolutionGeometry(stride: [1, 1], padding: padding))
    }
  }

  @Test("the 3×3 convolution of moved copies is the 5×5 convolution", arguments: cases)
  func equalsDirect(test: Case) throws {
    let (x, w) = (sample(test.input), sample([test.filters, test.input[1], 5, 5], seed: 2))
    let bias = sample([test.filters], seed: 3)
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: test.padding)
    let kernel = ConvolutionKernel(geometry, input: x.shape, weights: w.shape, hasBias: true)
    let split = try #require(SplitConvolution(kernel))
    let source = x.reordered(to: .blockedChannels(x.shape, block: MovedCopies.block))
    let copies = Tensor(
      .blockedChannels(split.copies.output, block: MovedCopies.block), shape: split.copies.output)
    split.copies.write(
      source.pointer.assumingMemoryBound(to: Float.self),
      to: copies.pointer.assumingMemoryBound(to: Float.self))
    let result = split.inner.forward(copies, split.weights(w), bias)
    #expect(relativeDifference(result, Self.direct(x, w, bias, test.padding)) < 1e-5)
  }

  @Test("a plan that chose it computes the same, twice, with a sum and an activation after it")
  func inPlan() {
    let (w, v, bias) = (sample([32, 16, 5, 5]), sample([32, 16, 1, 1], seed: 4), sample([32], seed: 5))
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([2, 2]))
    let x = sample([1, 16, 14, 11], seed: 6)
    AlgorithmMemory.shared.remember(
      .split, for: ConvolutionKernel(geometry, input: x.shape, weights: w.shape, hasBias: true))
    let body: (Tensor) -> Tensor = { x in
      let hidden = x.relu()
      let other = convolution(hidden, v, ConvolutionGeometry(stride: [1, 1], padding: .none(2)))
      return (convolution(hidden, w, bias: bias, geometry) + other).relu()
    }
    let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
    let first = compiled(x)
    #expect(compiled.profile([x], repetitions: 1).contains { $0.name == "moved copies" })
    #expect(relativeDifference(first, body(x)) < 1e-5)
    #expect(compiled(x).values() == first.values())
  }

  @Test("other convolutions are not split")
  func others() {
    func kernel(_ weights: Shape, _ geometry: ConvolutionGeometry, input: Shape = [1, 16, 9, 9])
      -> ConvolutionKernel
    { ConvolutionKernel(geometry, input: input, weights: weights) }
    let plain = ConvolutionGeometry(stride: [1, 1], padding: Padding([2, 2]))
    #expect(SplitConvolution(kernel([16, 16, 5, 5], plain)) != nil)
    #expect(SplitConvolution(kernel([16, 16, 3, 3], plain)) == nil)
    #expect(SplitConvolution(kernel([16, 16, 7, 7], plain)) == nil)
    #expect(SplitConvolution(kernel([8, 16, 5, 5], plain)) == nil)
    #expect(SplitConvolution(kernel([16, 3, 5, 5], plain, input: [1, 3, 9, 9])) == nil)
    for (stride, dilation, groups) in [([2, 2], [1, 1], 1), ([1, 1], [2, 2], 1), ([1, 1], [1, 1], 16)] {
      let geometry = ConvolutionGeometry(
        stride: stride, padding: Padding([2, 2]), dilation: dilation, groups: groups)
      #expect(SplitConvolution(kernel([16, 16 / groups, 5, 5], geometry)) == nil)
    }
  }
}
