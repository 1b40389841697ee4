import AviaryLayers
import AviaryTensors
import TestSupport
import Testing

/// A picture and tokens to scores and the picture's features.
private final class TwoEyes: Network {
  let convolution = Conv2d(3, 8, kernel: 3, padding: 1)
  let words = Embedding(vocabulary: 20, width: 8)
  let head = Linear(8, 4)

  let signature = Signature(
    inputs: [TensorPort("picture", ["N", 3, "H", "W"]), TensorPort("tokens", ["N", "T"], .int64)],
    outputs: [TensorPort("scores", ["N", 4]), TensorPort("features", ["N", 8, "H", "W"])])

  func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let features = convolution(inputs["picture"]).relu()
    let seen = features.mean([2, 3]) + words(inputs["tokens"]).mean([1])
    return ["scores": head(seen), "features": features]
  }
}

@Suite("Networks of named tensors")
struct NetworkTests {
  private func inputs(_ count: Int = 2, side: Int = 9, words: Int = 5) -> NamedTensors {
    [
      "tokens": Tensor((0..<count * words).map { Int64($0 % 20) }, shape: [count, words]),
      "picture": sample([count, 3, side, side]),
    ]
  }

  @Test("compiled networks equal what they were compiled from, for every shape that comes")
  func compiled() {
    let network = TwoEyes()
    let compiled = network.compiled()
    for (side, words) in [(9, 5), (12, 5), (9, 3), (16, 1), (8, 2), (9, 5)] {
      let inputs = inputs(side: side, words: words)
      let (found, expected) = (compiled(inputs), network(inputs))
      #expect(found.names == ["scores", "features"])
      for name in found.names { #expect(relativeDifference(found[name], expected[name]) < 1e-5) }
    }
  }

  @Test("plans are kept for the shapes used last")
  func kept() {
    let compiled = TwoEyes().compiled()
    func graph(_ side: Int) -> CompiledGraph {
      compiled.graph(for: [TensorSpec([1, 3, side, side]), TensorSpec([1, 2], .int64)])
    }
    let first = graph(8)
    for side in [9, 10, 8, 11, 12] { _ = graph(side) }
    #expect(graph(8) === first)
    for side in [13, 14, 15, 16] { _ = graph(side) }
    #expect(graph(8) !== first)
  }

  @Test("what does not fit a signature is named with what it takes")
  func signature() throws {
    let signature = TwoEyes().signature
    try signature.check(inputs())
    func error(_ change: (inout NamedTensors) -> Void) throws -> String {
      var tensors = inputs()
      change(&tensors)
      return try #require(#expect(throws: SignatureError.self) { try signature.check(tensors) }).description
    }
    #expect(
      try error { $0[ifPresent: "tokens"] = nil }
        == "tokens is missing, but the network takes N×T int64 with N = 2")
    #expect(
      try error { $0["mask"] = Tensor([Float(0)]) }
        == "mask is no input, but the network takes picture, tokens")
    #expect(
      try error { $0["tokens"] = Tensor([Int64(0)], shape: [1, 1]) }.hasPrefix(
        "tokens is 1×1 int64, but the network takes N×T int64"))
    #expect(try error { $0["tokens"] = sample([2, 5]) }.hasPrefix("tokens is 2×5 float32"))
    #expect(
      try error { $0["picture"] = sample([2, 1, 9, 9]) }.hasPrefix(
        "picture is 2×1×9×9 float32, but the network takes N×3×H×W float32"))
    #expect(try error { $0["picture"] = sample([2, 3, 9]) }.hasPrefix("picture is 2×3×9 float32"))
  }
}
