import AviaryTensors
import Foundation
import TestSupport
import Testing

/// Operands that are not numbers or infinite, and what PyTorch makes of them; see `tools/reference/nonfinite_fixtures.py`.
@Suite("Operations on numbers that are not finite, against PyTorch")
struct NonFiniteTests {
  static let file = Result {
    try GoldenFile(
      Bundle.module.bundleURL.appending(
        path: "Fixtures/nonfinite.safetensors", directoryHint: .notDirectory))
  }

  @Test("every case of the fixture has a function")
  func completeness() throws {
    let suffix = ".output"
    let names = try Self.file.get().names.filter { $0.hasSuffix(suffix) }
    #expect(Set(names.map { String($0.dropLast(suffix.count)) }) == Set(functions.keys))
  }

  @Test("results and gradients", arguments: functions.keys.sorted())
  func matches(name: String) throws {
    let file = try Self.file.get()
    var inputs: [Tensor] = []
    while let input = file["\(name).input\(inputs.count)"] { inputs.append(input) }
    let function = try #require(functions[name])
    let expected = try #require(file["\(name).output"])
    try compare(function(inputs), expected, "the result")
    guard file.names.contains(where: { $0.hasPrefix("\(name).gradient") }) else { return }
    let leaves = inputs.map { _ in Leaf() }
    let value = withRecording {
      function(zip(inputs, leaves).map { $0.dtype == .float32 ? $0.tracked(as: $1) : $0 }).sum()
    }
    for (index, gradient) in backward(from: value, to: leaves).enumerated() {
      guard let expected = file["\(name).gradient\(index)"] else { continue }
      try compare(try #require(gradient), expected, "gradient \(index)")
    }
  }

  private func compare(_ actual: Tensor, _ expected: Tensor, _ what: String) throws {
    try #require(actual.shape == expected.shape, "\(what): \(actual.shape) for \(expected.shape)")
    let pairs = zip(actual.cast(to: .float32).values(of: Float.self), expected.values(of: Float.self))
    let wrong = pairs.enumerated().filter { _, pair in
      let (found, wanted) = pair
      if wanted.isNaN || found.isNaN { return wanted.isNaN != found.isNaN }
      return found != wanted && !(abs(found - wanted) <= 1e-5 * max(1, abs(wanted)))
    }
    let shown = wrong.prefix(6).map { "[\($0.offset)] \($0.element.0) for \($0.element.1)" }
    #expect(wrong.isEmpty, "\(what): \(wrong.count) wrong: \(shown.joined(separator: ", "))")
  }
}

private typealias Function = @Sendable ([Tensor]) -> Tensor

private let functions: [String: Function] =
  [elements, pairs, rows, images, products].reduce(into: [:]) { $0.merge($1) { first, _ in first } }

private let elements: [String: Function] = [
  "relu": { $0[0].relu() }, "relu6": { Activation.relu6($0[0]) },
  "leaky relu": { Activation.leakyReLU(slope: 0.1)($0[0]) }, "elu": { Activation.elu()($0[0]) },
  "gelu": { Activation.gelu($0[0]) }, "gelu tanh": { Activation.geluTanh($0[0]) },
  "silu": { Activation.silu($0[0]) }, "sigmoid": { $0[0].sigmoid() }, "tanh": { $0[0].tanh() },
  "hard sigmoid": { Activation.hardSigmoid($0[0]) }, "hard swish": { Activation.hardSwish($0[0]) },
  "softplus": { Activation.softplus($0[0]) }, "exp": { $0[0].exp() }, "log": { $0[0].log() },
  "square root": { $0[0].squareRoot() }, "square": { $0[0].square() }, "abs": { $0[0].abs() },
  "power 3": { $0[0].power(3) }, "power 0.5": { $0[0].power(0.5) }, "clip": { $0[0].clipped(-2.5, 2.5) },
  "affine": { $0[0].affine(scale: 2, shift: 1) }, "sine": { $0[0].sine() }, "cosine": { $0[0].cosine() },
  "prelu": { prelu($0[0], slope: Tensor([Float(0.25)], shape: [1])) },
]

private let pairs: [String: Function] = [
  "add": { $0[0] + $0[1] }, "subtract": { $0[0] - $0[1] }, "multiply": { $0[0] * $0[1] },
  "divide": { $0[0] / $0[1] }, "maximum": { maximum($0[0], $0[1]) }, "minimum": { minimum($0[0], $0[1]) },
  "equal": { ($0[0] .== $0[1]).cast(to: .float32) }, "less": { ($0[0] .< $0[1]).cast(to: .float32) },
  "greater": { ($0[0] .> $0[1]).cast(to: .float32) },
  "at most": { ($0[0] .<= $0[1]).cast(to: .float32) },
  "at least": { ($0[0] .>= $0[1]).cast(to: .float32) },
  "select": { select($0[0] .> Tensor(Float(0)), $0[0], $0[1]) },
]

private let rows: [String: Function] = [
  "sum": { $0[0].sum([1]) }, "mean": { $0[0].mean([1]) }, "largest": { $0[0].amax([1]) },
  "smallest": { $0[0].amin([1]) }, "largest of columns": { $0[0].amax([0]) },
  "variance": { $0[0].variance([1], isUnbiased: true) }, "norm": { $0[0].norm(2, [1]) },
  "log-sum-exp": { $0[0].logSumExp([1]) }, "cumulative sum": { $0[0].cumulativeSum(1) },
  "softmax": { $0[0].softmax(1) }, "log-softmax": { $0[0].logSoftmax(1) },
  "top-k": { $0[0].topK(5).values }, "sort": { $0[0].sorted().values },
  "sort falling": { $0[0].sorted(isDescending: true).values },
  "position of largest": { $0[0].argMax(1).cast(to: .float32) },
  "position of smallest": { $0[0].argMin(1).cast(to: .float32) },
  "layer norm": { layerNormalized($0[0], scale: .ones([20]), shift: .zeros([20]), epsilon: 1e-5) },
  "RMS norm": { rmsNormalized($0[0], scale: .ones([20]), epsilon: 1e-5) },
  "cross-entropy": { inputs in
    let labels = Tensor((0..<8).map { Int64(2 * $0) }, shape: [8, 1])
    return -inputs[0].logSoftmax(1).gathered(1, labels).squeezed(1)
  },
]

/// A tensor that all cases on images share.
private func shared(_ role: String) -> Tensor {
  (try? NonFiniteTests.file.get())?["images.\(role)"] ?? .zeros([16])
}

private let images: [String: Function] = [
  "max pooling": { $0[0].maxPooled(.init(kernel: [2, 2])) },
  "max pooling, overlapping": {
    $0[0].maxPooled(.init(kernel: [3, 3], stride: [2, 2], padding: Padding([1, 1]), usesCeiling: true))
  },
  "max pooling, adaptive": { $0[0].adaptiveMaxPooled(to: [4, 3]) },
  "max pooling of negative infinity": { $0[0].maxPooled(.init(kernel: [2])) },
  "max pooling 1-D": { $0[0].maxPooled(.init(kernel: [3])) },
  "max pooling 3-D": { $0[0].maxPooled(.init(kernel: [2, 2, 2])) },
  "average pooling": {
    $0[0].averagePooled(.init(kernel: [3, 3], stride: [1, 1], padding: Padding([1, 1])))
  },
  "average pooling, global": { $0[0].adaptiveAveragePooled(to: [1, 1]) },
  "batch norm, training": {
    batchNormalized($0[0], scale: shared("scale"), shift: shared("shift"), epsilon: 1e-5).result
  },
  "batch norm, training, with relu": {
    batchNormalized($0[0], scale: shared("scale"), shift: shared("shift"), epsilon: 1e-5, rectifies: true)
      .result
  },
  "batch norm": {
    batchNormalized(
      $0[0], scale: shared("scale"), shift: shared("shift"), mean: shared("mean"),
      variance: shared("variance"), epsilon: 1e-5)
  },
  "batch norm with relu": {
    batchNormalized(
      $0[0], scale: shared("scale"), shift: shared("shift"), mean: shared("mean"),
      variance: shared("variance"), epsilon: 1e-5, rectifies: true)
  },
  "group norm": {
    groupNormalized($0[0], groups: 4, scale: shared("scale"), shift: shared("shift"), epsilon: 1e-5)
  },
  "local response norm": { $0[0].localResponseNormalized(size: 3, alpha: 0.1, beta: 0.5, k: 1) },
  "pad": { $0[0].padded(before: [0, 0, 0, 1], after: [0, 0, 1, 2]) },
  "pad by reflection": { $0[0].padded(before: [0, 0, 0, 1], after: [0, 0, 1, 2], .reflect) },
  "nearest": { $0[0].interpolated(to: [9, 5], .nearest) },
  "bilinear": { $0[0].interpolated(to: [9, 12], .linear(alignsCorners: false)) },
  "bicubic": { $0[0].interpolated(to: [9, 5], .cubic(alignsCorners: false)) },
]

private func geometry(stride: Int = 1, padding: Int = 0, groups: Int = 1) -> ConvolutionGeometry {
  ConvolutionGeometry(stride: [stride, stride], padding: Padding([padding, padding]), groups: groups)
}

private let products: [String: Function] = [
  "convolution": { convolution($0[0], $0[1], bias: $0[2], geometry(padding: 1)) },
  "convolution with relu": {
    convolution($0[0], $0[1], bias: $0[2], geometry(padding: 1), rectifies: true)
  },
  "convolution, weights": { convolution($0[0], $0[1], geometry()) },
  "convolution, stride": { convolution($0[0], $0[1], geometry(stride: 2)) },
  "convolution, pointwise": { convolution($0[0], $0[1], geometry()) },
  "convolution, depthwise": { convolution($0[0], $0[1], geometry(padding: 1, groups: 16)) },
  "transposed convolution": { transposedConvolution($0[0], $0[1], geometry(stride: 2)) },
  "matrix product": { $0[0].matmul($0[1]) }, "linear": { linear($0[0], $0[1], bias: $0[2]) },
  "embedding": { embedding($0[1], tokens: $0[0]) }, "gather": { $0[0].gathered(1, $0[1]) },
  "scatter": { $0[0].scatterAdded(1, $0[1], $0[2]) },
]
