import TestSupport
import Testing

@testable import AviaryTensors

/// Whether this processor has the loop's vectors.
private let hasLoop = WinogradLoop(kernel([1, 16, 9, 9]), accumulates: false, after: nil) != nil

private func kernel(
  _ input: Shape, _ filters: Int = 16, padding: Padding = Padding([1, 1]), stride: [Int] = [1, 1],
  size: Int = 3
) -> ConvolutionKernel {
  ConvolutionKernel(
    ConvolutionGeometry(stride: stride, padding: padding), input: input,
    weights: [filters, input[1], size, size], hasBias: true)
}

/// 3×3 convolutions in plans by the package's own loop.
@Suite("Winograd's loop", .enabled(if: hasLoop, "this processor's kernels are oneDNN's"))
struct WinogradLoopTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let input: Shape
    let filters: Int
    var padding = Padding([1, 1])
    var activation = Activation.relu
    var adds = false
    var testDescription: String {
      "\(input.shapeText) to \(filters), \(padding.before) \(padding.after), \(activation)"
        + (adds ? ", added to another value" : "")
    }
  }

  @Test(
    "a plan that chose it computes the same as a direct convolution, twice",
    arguments: [
      // One tile, whole tiles, and tiles that are cut off below and on the right.
      Case(input: [1, 16, 4, 4], filters: 16), Case(input: [1, 32, 8, 12], filters: 48),
      Case(input: [1, 16, 1, 1], filters: 16), Case(input: [1, 16, 7, 9], filters: 32, activation: .silu),
      Case(input: [3, 48, 14, 13], filters: 16, adds: true),
      // More tiles than are multiplied at a time.
      Case(input: [1, 64, 28, 28], filters: 64, activation: .relu6, adds: true),
      Case(input: [2, 16, 57, 30], filters: 16), Case(input: [1, 272, 33, 9], filters: 16),
      Case(input: [1, 16, 10, 11], filters: 16, padding: .none(2)),
      Case(input: [1, 16, 6, 5], filters: 16, padding: Padding(before: [2, 0], after: [0, 3])),
      Case(input: [1, 16, 1, 2], filters: 16, padding: Padding([9, 8])),
    ])
  func equalsDirect(test: Case) {
    let w = sample([test.filters, test.input[1], 3, 3], seed: 2)
    let v = sample([test.filters, test.input[1], 3, 3], seed: 3)
    let bias = sample([test.filters], seed: 4)
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: test.padding)
    AlgorithmMemory.shared.remember(
      .ownWinograd, for: kernel(test.input, test.filters, padding: test.padding))
    let x = sample(test.input, seed: 5)
    let body: (Tensor) -> Tensor = { x in
      // Its activation is none that there is a loop for.
      let other = test.adds ? convolution(x, v, bias: bias, geometry).tanh() : nil
      let result = convolution(x, w, bias: bias, geometry)
      return test.activation(other.map { $0 + result } ?? result)
    }
    let compiled = CompiledGraph(TensorSpec(x.shape), weights: { _ in nil }, capturing: body)
    let first = compiled(x)
    #expect(relativeDifference(first, withExactArithmetic { body(x) }) < 1e-5)
    #expect(compiled(x).values() == first.values())
    let loops = compiled.profile([x], repetitions: 1).filter { $0.implementation == "winograd:avx512" }
    #expect(loops.map(\.name) == [test.adds ? "Conv + Add + activation" : "Conv + activation"])
  }

  @Test("it is among what is measured, and runs")
  func measured() {
    let candidates = kernel([1, 32, 15, 15], 32).candidates
    #expect(candidates.map(\.algorithm) == [.direct, .winograd4x3, .winograd2x3, .ownWinograd])
    for candidate in candidates { candidate.run() }
  }

  @Test("other convolutions are oneDNN's")
  func others() {
    func isLoop(_ kernel: ConvolutionKernel, after: EltwiseKernel? = nil) -> Bool {
      WinogradLoop(kernel, accumulates: false, after: after) != nil
    }
    #expect(isLoop(kernel([1, 16, 9, 9])))
    #expect(!isLoop(kernel([0, 16, 9, 9])))
    #expect(!isLoop(kernel([1, 3, 9, 9])))
    #expect(!isLoop(kernel([1, 16, 9, 9], 8)))
    #expect(!isLoop(kernel([1, 16, 9, 9], stride: [2, 2])))
    #expect(!isLoop(kernel([1, 16, 9, 9], size: 5)))
    #expect(!isLoop(kernel([1, 16, 9, 9]), after: EltwiseKernel(function: .logistic)))
    #expect(!isLoop(kernel([1, 16, 9, 9]), after: EltwiseKernel(function: .relu, alpha: 0.1)))
  }
}
