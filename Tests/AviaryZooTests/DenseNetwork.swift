import AviaryLayers
import AviaryTensors
import Foundation
import TestSupport
import Testing

/// What the references of `tools/reference/dense_fixtures.py` and `scheduler_fixtures.py` gave.
func denseFixture(_ name: String) throws -> GoldenFile {
  try GoldenFile(
    try #require(
      Bundle.module.url(forResource: name, withExtension: "safetensors", subdirectory: "Fixtures/dense")))
}

/// The input of `tools/reference/deterministic.py` that is called `name`.
func deterministicInput(_ shape: Shape, named name: String = "input") -> Tensor {
  Tensor(DeterministicWeights.image(named: name, shape: shape), shape: shape)
}

extension Network {
  /// Gives every parameter and buffer the value that its name says.
  ///
  /// - Parameter butFixed: leaves what follows from the architecture as it is.
  func fillDeterministically(butFixed: Bool = false) {
    for entry in stateEntries where !(butFixed && entry.isFixed) {
      entry.value = Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
    }
  }

  /// Expects one of the outputs to be within 1e-4 of the largest value: as written, with exact arithmetic, and compiled.
  func expectOutput(_ name: String, of inputs: NamedTensors, toBe expected: Tensor) throws {
    try signature.check(inputs)
    #expect(self(inputs).names == signature.outputs.map(\.name))
    #expect(relativeDifference(self(inputs)[name], expected) < 1e-4)
    withExactArithmetic { #expect(relativeDifference(self(inputs)[name], expected) < 1e-4) }
    let compiled = compiled()
    let first = compiled(inputs)[name]
    #expect(relativeDifference(first, expected) < 1e-4)
    #expect(compiled(inputs)[name].values() == first.values(), "a second run differs")
  }

  /// Expects the gradient of one output's squares to reach every parameter.
  func expectGradients(of name: String, _ inputs: NamedTensors) {
    train()
    let (_, gradients) = valueAndGradient(of: self) { self(inputs)[name].square().mean() }
    // A key's bias adds the same to all scores of a row, which a softmax does not see.
    for (name, parameter) in namedParameters where !name.hasSuffix("to_k.bias") {
      #expect(gradients[parameter]?.values().contains { $0 != 0 && $0.isFinite } == true, "\(name)")
    }
  }
}
