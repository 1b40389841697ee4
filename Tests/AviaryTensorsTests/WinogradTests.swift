import TestSupport
import Testing

@testable import AviaryTensors

/// A 3×3 convolution with stride 1 and padding 1, and its gradients, as plain loops in double precision.
private struct ConvolutionLoops {
  let x: [Double]
  let w: [Double]
  let upstream: [Double]
  let samples: Int
  let inputs: Int
  let outputs: Int
  let height: Int
  let width: Int

  init(_ x: Tensor, _ w: Tensor, upstream: Tensor) {
    self.x = x.values().map(Double.init)
    self.w = w.values().map(Double.init)
    self.upstream = upstream.values().map(Double.init)
    (samples, inputs, outputs) = (x.shape[0], x.shape[1], w.shape[0])
    (height, width) = (x.shape[2], x.shape[3])
  }

  /// Calls `body` with the positions of every product: in the result, the input and the weights.
  private func forEachProduct(_ body: (_ y: Int, _ x: Int, _ w: Int) -> Void) {
    for n in 0..<samples {
      for o in 0..<outputs {
        for i in 0..<inputs {
          for tap in 0..<9 {
            let (down, right) = (tap / 3 - 1, tap % 3 - 1)
            for row in max(0, -down)..<min(height, height - down) {
              for column in max(0, -right)..<min(width, width - right) {
                let y = ((n * outputs + o) * height + row) * width + column
                let x = ((n * inputs + i) * height + row + down) * width + column + right
                body(y, x, (o * inputs + i) * 9 + tap)
              }
            }
          }
        }
      }
    }
  }

  var forward: [Double] {
    var result = [Double](repeating: 0, count: upstream.count)
    forEachProduct { result[$0] += x[$1] * w[$2] }
    return result
  }

  var inputGradient: [Double] {
    var result = [Double](repeating: 0, count: x.count)
    forEachProduct { result[$1] += upstream[$0] * w[$2] }
    return result
  }

  var weightGradient: [Double] {
    var result = [Double](repeating: 0, count: w.count)
    forEachProduct { result[$2] += upstream[$0] * x[$1] }
    return result
  }
}

@Suite("Winograd and direct convolution against double precision")
struct WinogradTests {
  struct Sizes: Sendable, CustomTestStringConvertible {
    let input: Shape
    let filters: Int
    var testDescription: String { "\(input.shapeText) to \(filters)" }
  }

  static let sizes = [
    Sizes(input: [1, 16, 12, 12], filters: 16), Sizes(input: [2, 32, 7, 9], filters: 48),
    Sizes(input: [1, 64, 14, 14], filters: 64), Sizes(input: [3, 16, 5, 23], filters: 64),
    Sizes(input: [1, 128, 7, 7], filters: 32),
  ]

  @Test("forward and both gradients are within 1e-5 of the largest value", arguments: sizes)
  func accuracy(sizes: Sizes) {
    let x = sample(sizes.input)
    let w = sample([sizes.filters, sizes.input[1], 3, 3], seed: 2)
    let upstream = sample([sizes.input[0], sizes.filters] + sizes.input[2...], seed: 3)
    let loops = ConvolutionLoops(x, w, upstream: upstream)
    let expected = [loops.forward, loops.inputGradient, loops.weightGradient]
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
    for exact in [false, true] {
      func results() -> [Tensor] {
        let gradients = valueAndGradients(at: [x, w]) {
          (convolution($0[0], $0[1], geometry) * upstream).sum()
        }
        return [convolution(x, w, geometry)] + gradients.gradients
      }
      let actual = exact ? withExactArithmetic(results) : results()
      for (index, name) in ["forward", "input gradient", "weight gradient"].enumerated() {
        let error = relativeError(actual[index], expected[index])
        #expect(error <= 1e-5, "\(name), exact \(exact)")
      }
    }
  }

  @Test("Winograd is what runs by default where it applies, and never in exact arithmetic")
  func algorithms() {
    let (x, w) = (sample([1, 32, 15, 15]), sample([32, 32, 3, 3], seed: 2))
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
    func implementations(_ body: () -> Tensor) -> [String] {
      PrimitiveCache.removeAll()
      _ = body()
      return PrimitiveCache.implementations.filter { $0.role == "convolution" }.map(\.implementation)
    }
    let usual = implementations { convolution(x, w, geometry) }
    let exact = implementations { withExactArithmetic { convolution(x, w, geometry) } }
    #expect(usual.count == 1 && exact.count == 1)
    #expect(!exact[0].contains("wino"))
    // Which processors have a Winograd kernel is up to oneDNN; here it is enough that none falls to the reference loop.
    #expect(!usual[0].hasPrefix("ref") && !exact[0].hasPrefix("ref"))
  }

  private func relativeError(_ actual: Tensor, _ expected: [Double]) -> Double {
    let largest = expected.map(abs).max() ?? 1
    return (zip(actual.values(), expected).map { abs(Double($0) - $1) }.max() ?? .infinity) / largest
  }
}
