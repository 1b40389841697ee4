import AviaryLayers
import AviaryTensors
import Foundation
import TestSupport
import Testing

/// Transformer layers against PyTorch's, forward and backward; see `tools/reference/transformer_fixtures.py`.
@Suite("Transformer layers against PyTorch")
struct TransformerTests {
  private static let file = Result {
    try GoldenFile(
      Bundle.module.bundleURL.appending(
        path: "Fixtures/transformer.safetensors", directoryHint: .notDirectory))
  }

  private let configuration = TransformerConfiguration(width: 8, heads: 2, hidden: 12)
  /// The last two of five keys in the second sequence.
  private let hidden = Tensor((0..<10).map { $0 >= 8 }, shape: [2, 5])

  /// Deterministic numbers in -1..<1.
  private func numbers(_ name: String, _ shape: Shape) -> Tensor {
    Tensor(DeterministicWeights.image(named: name, shape: shape), shape: shape) * 0.5
  }

  /// Compares outputs and gradients; `body` maps the inputs, of the given names and shapes, to the output.
  private func compare(
    _ name: String, _ module: some Module, inputs: [(name: String, shape: Shape)],
    _ body: ([Tensor]) -> Tensor
  ) throws {
    let file = try Self.file.get()
    func expected(_ role: String) throws -> Tensor { try #require(file["\(name).\(role)"], "\(role)") }
    for (key, parameter) in module.namedParameters {
      let values = DeterministicWeights.torch("\(name).\(key)", shape: parameter.shape)
      parameter.value = Tensor(values, shape: parameter.shape)
    }
    let tensors = inputs.map { numbers("\(name).\($0.name)", $0.shape) }
    let output = try expected("output")
    #expect(relativeDifference(body(tensors), output) < 1e-5)

    let upstream = numbers("\(name).upstream", output.shape)
    let (_, gradients) = valueAndGradient(of: module) { (body(tensors) * upstream).sum() }
    let largest = try module.namedParameters.map { key, _ in
      try expected("gradient." + key).abs().values().max()!
    }.max()!
    for (key, parameter) in module.namedParameters {
      let found = try #require(gradients[parameter], "\(key)")
      // A key's bias changes no result: its gradient is rounding, and compared with the others' size.
      let difference = (found - (try expected("gradient." + key))).abs().values().max()!
      #expect(difference < 1e-5 * largest, "\(key)")
    }
    let leaves = inputs.map { _ in Leaf() }
    let value = withRecording { (body(zip(tensors, leaves).map { $0.tracked(as: $1) }) * upstream).sum() }
    for (input, gradient) in zip(inputs, backward(from: value, to: leaves)) {
      let found = try #require(gradient, "\(input.name)")
      #expect(relativeDifference(found, try expected("gradient." + input.name)) < 1e-5, "\(input.name)")
    }
  }

  @Test("an encoder with a padding mask")
  func encoder() throws {
    let encoder = TransformerEncoder(configuration, layers: 2, hasNorm: true)
    try compare("encoder", encoder, inputs: [("source", [2, 5, 8])]) {
      encoder($0[0], keyPaddingMask: hidden)
    }
  }

  @Test("a decoder with a padding mask of what it looks at")
  func decoder() throws {
    let decoder = TransformerDecoder(configuration, layers: 2, hasNorm: true)
    try compare("decoder", decoder, inputs: [("target", [2, 3, 8]), ("source", [2, 5, 8])]) {
      decoder($0[0], memory: $0[1], memoryKeyPaddingMask: hidden)
    }
  }

  @Test("normalization first, GELU, and no attention to later places: encoder and decoder")
  func normalizationFirst() throws {
    var configuration = configuration
    configuration.isNormFirst = true
    configuration.activation = .gelu
    let encoder = TransformerEncoder(configuration, layers: 2, hasNorm: true)
    try compare("first encoder", encoder, inputs: [("source", [2, 5, 8])]) {
      encoder($0[0], keyPaddingMask: hidden, isCausal: true)
    }
    let decoder = TransformerDecoder(configuration, layers: 2, hasNorm: true)
    try compare("first decoder", decoder, inputs: [("target", [2, 3, 8]), ("source", [2, 5, 8])]) {
      decoder($0[0], memory: $0[1], memoryKeyPaddingMask: hidden, isCausal: true)
    }
  }

  @Test("attention to keys and values of other widths, with padding and a bias of the scores")
  func cross() throws {
    let attention = MultiHeadAttention(8, heads: 2, keys: 5, values: 3)
    let bias = numbers("cross.bias", [3, 5])
    let inputs: [(String, Shape)] = [("query", [2, 3, 8]), ("key", [2, 5, 5]), ("value", [2, 5, 3])]
    try compare("cross", attention, inputs: inputs) {
      attention(query: $0[0], key: $0[1], value: $0[2], keyPaddingMask: hidden, bias: bias)
    }
  }

  @Test("additive attention, whose shares add up to 1")
  func additive() throws {
    let attention = AdditiveAttention(queries: 4, keys: 6, width: 7)
    try compare("additive", attention, inputs: [("query", [2, 3, 4]), ("key", [2, 5, 6])]) {
      attention(query: $0[0], key: $0[1], keyPaddingMask: hidden).context
    }
    let shares = attention(
      query: numbers("q", [2, 3, 4]), key: numbers("k", [2, 5, 6]), keyPaddingMask: hidden
    ).shares
    #expect(shares.shape == [2, 3, 5])
    #expect(relativeDifference(shares.sum([2]), .ones([2, 3])) < 1e-6)
    #expect(shares[1].sliced(1, 3..<5).amax().item() == 0)
  }

  @Test("LLaMA's parts: root-mean-square normalization and gated layers")
  func llama() throws {
    let norm = RMSNorm(6)
    try compare("rms", norm, inputs: [("input", [2, 3, 6])]) { norm($0[0]) }
    let gated = SwiGLU(6, hidden: 10)
    try compare("swiglu", gated, inputs: [("input", [2, 3, 6])]) { gated($0[0]) }
  }

  @Test(
    "rotary positions of both pairings as Hugging Face's models have them, and products that know distances alone"
  )
  func rotary() throws {
    let file = try Self.file.get()
    let input = numbers("rotary", [2, 2, 7, 10])
    for pairing in RotaryPositions.Pairing.allCases {
      let rotary = RotaryPositions(width: 6, pairing: pairing)
      let expected = try #require(file["rotary.\(pairing)"])
      #expect(relativeDifference(rotary(input, first: 3), expected) < 1e-5, "\(pairing)")
      // The score of a query and a key is the same wherever they stand, if they are as far apart.
      let (query, key) = (numbers("q", [1, 6]), numbers("k", [1, 6]))
      func score(_ first: Int, _ second: Int) -> Float {
        (rotary(query, first: first) * rotary(key, first: second)).sum().item()
      }
      #expect(abs(score(2, 7) - score(40, 45)) < 1e-5)
      #expect(abs(score(2, 7) - score(2, 9)) > 1e-3)
    }
  }

  @Test("sinusoidal and learned positions, also of what does not stand at the beginning")
  func positions() throws {
    let expected = try #require(try Self.file.get()["sinusoidal"])
    #expect(relativeDifference(sinusoidalPositions(9, width: 8), expected) < 1e-5)
    let later = sinusoidalPositions(4, width: 8, first: 5)
    #expect(later.values() == sinusoidalPositions(9, width: 8).sliced(0, 5..<9).values())
    let learned = LearnedPositions(6, width: 3)
    let input = numbers("input", [2, 6, 3])
    #expect(relativeDifference(learned(input), input + learned.weight.value) == 0)
    let end = learned(input.sliced(1, 4..<6), first: 4)
    #expect(relativeDifference(end, learned(input).sliced(1, 4..<6)) == 0)
  }

  @Test("values are dropped while training, and only then")
  func dropout() {
    let encoder = TransformerEncoder(configuration, layers: 1)
    let attention = MultiHeadAttention(8, heads: 2, dropout: 0.5)
    let input = numbers("input", [2, 5, 8])
    let modules: [(any Module, () -> Tensor)] = [
      (encoder, { encoder(input) }), (attention, { attention(input) }),
    ]
    for (module, run) in modules {
      let expected = run()
      #expect(relativeDifference(run(), expected) == 0)
      module.train()
      #expect(relativeDifference(withRandomSeed(1) { run() }, expected) > 1e-2)
      module.evaluate()
      #expect(relativeDifference(run(), expected) == 0)
    }
  }

  @Test("rows and columns of a picture are counted without its padding: the last of each lies at 2π")
  func sinePositions() {
    // One picture of 2×3 places in a map of 3×4.
    let mask = Tensor((0..<12).map { $0 % 4 == 3 || $0 >= 8 }, shape: [1, 3, 4])
    let positions = AviaryLayers.sinePositions(hiding: mask, width: 8)
    #expect(positions.shape == [1, 3, 4, 8])
    let values = positions.values()
    for (y, x) in [(0, 0), (0, 2), (1, 0), (1, 2)] {
      // Two waves for each axis, the second 10 000^(1/2) times as long.
      let (row, column) = (Float(y + 1) * .pi, Float(x + 1) * 2 * .pi / 3)
      let expected = [row, row / 100, column, column / 100].flatMap { [sinf($0), cosf($0)] }
      let found = values[(y * 4 + x) * 8..<(y * 4 + x + 1) * 8]
      let difference = zip(found, expected).map { abs($0 - $1) }.max()!
      #expect(difference < 1e-4, "\(y), \(x)")
    }
  }

  @Test("frozen batch normalization is what the trained kind does in evaluation, also while training")
  func frozenBatchNorm() {
    let (frozen, plain) = (FrozenBatchNorm(3, epsilon: 1e-3), BatchNorm(3, epsilon: 1e-3))
    for ((_, buffer), entry) in zip(frozen.namedBuffers, plain.stateEntries) {
      buffer.value = numbers(entry.name, [3]) + 1.5
      entry.value = buffer.value
    }
    #expect(frozen.namedBuffers.map(\.name) == plain.stateEntries.map(\.name))
    #expect(frozen.parameters.isEmpty)
    let input = numbers("input", [2, 3, 4, 5])
    frozen.train()
    #expect(relativeDifference(frozen(input), plain(input)) < 1e-6)
    #expect(relativeDifference(frozen.rectified(input), plain(input).relu()) < 1e-6)
  }
}
