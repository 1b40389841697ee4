import AviaryTensors
import Foundation
import TestSupport
import Testing

/// One line of the fixture: an operation, its attributes, and tensors under `<name>.<role>`.
struct ReferenceCase: Decodable, Sendable, CustomTestStringConvertible {
  let name: String
  let op: String
  let attributes: [String: JSONValue]
  var testDescription: String { name }

  static let file = Result {
    try GoldenFile(
      Bundle.module.bundleURL.appending(path: "Fixtures/ops.safetensors", directoryHint: .notDirectory))
  }

  static let all: [ReferenceCase] = {
    let text = (try? file.get())?.metadata["cases"] ?? "[]"
    return (try? JSONDecoder().decode([ReferenceCase].self, from: Data(text.utf8))) ?? []
  }()

  func tensor(_ role: String) throws -> Tensor? { try Self.file.get()["\(name).\(role)"] }
  func needed(_ role: String) throws -> Tensor { try #require(try tensor(role), "\(name).\(role)") }

  func integer(_ name: String) throws -> Int { try #require(attributes[name]?.integer, "\(name)") }
  func integers(_ name: String) throws -> [Int] { try #require(attributes[name]?.integers, "\(name)") }
  func float(_ name: String) throws -> Float { try #require(attributes[name]?.float, "\(name)") }
  func flag(_ name: String) throws -> Bool { try #require(attributes[name]?.flag as Bool?, "\(name)") }
  func text(_ name: String) throws -> String { try #require(attributes[name]?.text, "\(name)") }

  var padding: Padding {
    get throws {
      let pairs = try #require(attributes["padding"]?.list).compactMap(\.integers)
      return Padding(before: pairs.map { $0[0] }, after: pairs.map { $0[1] })
    }
  }
}

@Suite("Operations against PyTorch")
struct ReferenceTests {
  @Test("the fixture is complete")
  func fixture() throws {
    #expect(ReferenceCase.all.count == 107)
    #expect(try ReferenceCase.file.get().names.count > 200)
  }

  @Test("every case, direct and Winograd", arguments: ReferenceCase.all)
  func matches(test: ReferenceCase) throws {
    let expected = try test.needed("output")
    for exact in [false, true] {
      let actual = try exact ? withExactArithmetic { try run(test) } : run(test)
      #expect(actual.shape == expected.shape)
      #expect(relativeDifference(actual, expected) <= 1e-5, "exact \(exact)")
    }
  }

  private func run(_ test: ReferenceCase) throws -> Tensor {
    let x = try test.needed("input")
    switch test.op {
    case "conv1d", "conv2d", "conv3d", "conv_transpose2d": return try convolve(test, x)
    case "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d": return try pool(test, x)
    case "batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm", "local_response_norm":
      return try normalize(test, x)
    case "interpolate":
      let mode: InterpolationMode =
        switch try test.text("mode") {
        case "nearest": .nearest
        case "bicubic": .cubic(alignsCorners: try test.flag("align_corners"))
        default: .linear(alignsCorners: try test.flag("align_corners"))
        }
      return x.interpolated(to: try test.integers("size"), mode)
    case "log_softmax": return x.logSoftmax(try test.integer("axis"))
    case "cumsum": return x.cumulativeSum(try test.integer("axis"))
    case "embedding": return embedding(try test.needed("weight"), tokens: x)
    default: return try activation(test)(x)
    }
  }

  private func convolve(_ test: ReferenceCase, _ x: Tensor) throws -> Tensor {
    let geometry = ConvolutionGeometry(
      stride: try test.integers("stride"), padding: try test.padding, dilation: try test.integers("dilation"),
      groups: try test.integer("groups"))
    let (weight, bias) = (try test.needed("weight"), try test.tensor("bias"))
    guard test.op == "conv_transpose2d" else { return convolution(x, weight, bias: bias, geometry) }
    return transposedConvolution(
      x, weight, bias: bias, geometry, outputPadding: try test.integers("output_padding"))
  }

  private func pool(_ test: ReferenceCase, _ x: Tensor) throws -> Tensor {
    if test.op == "adaptive_avg_pool2d" { return x.adaptiveAveragePooled(to: try test.integers("size")) }
    if test.op == "adaptive_max_pool2d" { return x.adaptiveMaxPooled(to: try test.integers("size")) }
    let geometry = PoolingGeometry(
      kernel: try test.integers("kernel"), stride: try test.integers("stride"), padding: try test.padding,
      usesCeiling: try test.flag("ceil_mode"))
    if test.op == "max_pool2d" { return x.maxPooled(geometry) }
    return x.averagePooled(geometry, countsPadding: try test.flag("count_include_pad"))
  }

  private func normalize(_ test: ReferenceCase, _ x: Tensor) throws -> Tensor {
    if test.op == "local_response_norm" {
      return x.localResponseNormalized(
        size: try test.integer("size"), alpha: try test.float("alpha"), beta: try test.float("beta"),
        k: try test.float("k"))
    }
    let (epsilon, scale) = (try test.float("eps"), try test.needed("weight"))
    if test.op == "rms_norm" { return rmsNormalized(x, scale: scale, epsilon: epsilon) }
    let shift = try test.needed("bias")
    switch test.op {
    case "batch_norm" where try test.flag("training"):
      return batchNormalized(x, scale: scale, shift: shift, epsilon: epsilon).result
    case "batch_norm":
      return batchNormalized(
        x, scale: scale, shift: shift, mean: try test.needed("mean"), variance: try test.needed("variance"),
        epsilon: epsilon)
    case "layer_norm": return layerNormalized(x, scale: scale, shift: shift, epsilon: epsilon)
    default:
      // Instance normalization is group normalization with one channel per group.
      let groups = test.op == "instance_norm" ? x.shape[1] : try test.integer("groups")
      return groupNormalized(x, groups: groups, scale: scale, shift: shift, epsilon: epsilon)
    }
  }

  private func activation(_ test: ReferenceCase) throws -> Activation {
    switch test.op {
    case "gelu": return try test.text("approximate") == "tanh" ? .geluTanh : .gelu
    case "softplus":
      #expect(try test.float("beta") == 1)
      return .softplus
    case "elu": return .elu(alpha: try test.float("alpha"))
    case "leaky_relu": return .leakyReLU(slope: try test.float("slope"))
    case "silu": return .silu
    case "hardswish": return .hardSwish
    case "hardsigmoid": return .hardSigmoid
    case "relu6": return .relu6
    default:
      Issue.record("no operation for \(test.op)")
      return .relu
    }
  }
}
