import Foundation
import TestSupport
import Testing

@testable import AviaryTensors

@Suite("Gradients against central differences")
struct GradientTests {
  static let cases = kernelCases + elementCases

  @Test("every case, direct and Winograd", arguments: cases)
  func matchesCentralDifferences(test: OpCase) {
    let output = test.body(test.inputs)
    let weights = sample(output.shape, seed: 99)
    let numeric = withExactArithmetic { numericGradients(test, weights: weights) }
    for exact in [false, true] {
      func analyticGradients() -> [Tensor] {
        valueAndGradients(at: test.inputs) { (test.body($0) * weights).sum() }.gradients
      }
      let analytic = exact ? withExactArithmetic(analyticGradients) : analyticGradients()
      for index in test.inputs.indices {
        let difference = relativeDifference(analytic[index], numeric[index])
        #expect(difference < test.tolerance, "input \(index), exact \(exact)")
      }
    }
  }

  @Test("a ReLU within a kernel gives what a ReLU after it gives, and the same gradients")
  func fusedReLU() {
    let (x, w, b) = (sample([4, 16, 9, 9]), sample([16, 16, 3, 3], seed: 2), sample([16], seed: 3))
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
    let pairs: [([Tensor]) -> (fused: Tensor, separate: Tensor)] = [
      {
        (
          convolution($0[0], $0[1], bias: $0[2], geometry, rectifies: true),
          convolution($0[0], $0[1], bias: $0[2], geometry).relu()
        )
      },
      {
        (
          batchNormalized($0[0], scale: $0[2], shift: $0[2], epsilon: 1e-3, rectifies: true).result,
          batchNormalized($0[0], scale: $0[2], shift: $0[2], epsilon: 1e-3).result.relu()
        )
      },
    ]
    for pair in pairs {
      #expect(relativeDifference(pair([x, w, b]).fused, pair([x, w, b]).separate) < 1e-6)
      let fused = valueAndGradients(at: [x, w, b]) { pair($0).fused.square().sum() }.gradients
      let separate = valueAndGradients(at: [x, w, b]) { pair($0).separate.square().sum() }.gradients
      for (a, b) in zip(fused, separate) { #expect(relativeDifference(a, b) < 1e-5) }
    }
  }

  /// The names of all types that conform to `Operation`, read from the sources, must be met when the cases run.
  @Test("every operation has a case")
  func coversEveryOperation() throws {
    let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Sources/AviaryTensors")
    var declared = Set<String>()
    for folder in ["Ops", "Recording"] {
      for file in try FileManager.default.contentsOfDirectory(
        at: sources.appending(path: folder), includingPropertiesForKeys: nil)
      {
        let text = try String(contentsOf: file, encoding: .utf8)
        for match in text.matches(of: /struct (\w+): (?:Replayed)?Operation/) {
          declared.insert(String(match.1))
        }
      }
    }
    #expect(declared.count > 20)
    var met: Set<String> = ["Checkpoint", "Passage", "Pullback"]
    for test in Self.cases {
      for step in Trace.of({ test.body(test.inputs) }).steps { met.insert("\(type(of: step.operation))") }
    }
    #expect(
      declared.subtracting(met).isEmpty, "operations without a case: \(declared.subtracting(met).sorted())")
  }

  @Test("what does not depend on an input has a gradient of zeros, and stop-gradient stops it")
  func stopGradient() {
    let x = sample([3])
    let (_, gradients) = valueAndGradients(at: [x, x]) { $0[0].detached.sum() + ($0[0] * 2).sum() }
    #expect(gradients[0].values() == [2, 2, 2])
    #expect(gradients[1].values() == [0, 0, 0])
  }

  @Test("a tensor used twice gets the sum of both gradients")
  func accumulation() {
    let x = Tensor([Float(1), 2, 3])
    #expect(gradient(at: x) { ($0 * $0 + $0).sum() }.values() == [3, 5, 7])
  }

  @Test("a checkpoint keeps less and gives the same gradient")
  func checkpointMemory() {
    let x = sample([64, 1024])
    func deep(_ input: Tensor) -> Tensor { (0..<8).reduce(input) { value, _ in (value * 1.01).tanh() } }
    func peak(_ body: (Tensor) -> Tensor) -> (gradient: Tensor, bytes: Int) {
      CachingAllocator.resetPeak()
      let start = CachingAllocator.statistics.inUse
      let result = gradient(at: x) { body($0).sum() }
      return (result, CachingAllocator.statistics.peak - start)
    }
    let plain = peak { (0..<4).reduce($0) { value, _ in deep(value) } }
    let saved = peak { (0..<4).reduce($0) { value, _ in checkpoint([value]) { deep($0[0]) } } }
    #expect(plain.gradient.values() == saved.gradient.values())
    #expect(Double(saved.bytes) < 0.6 * Double(plain.bytes))
  }
}
