import CThreads
import TestSupport
import Testing

@testable import AviaryTensors

/// Functions whose plans have views, sums and concatenations of every kind, against the operations run one by one.
@Suite("Compiled graphs")
struct CompiledGraphTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let shape: Shape
    let body: @Sendable (Tensor) -> Tensor
    var testDescription: String { name }

    init(_ name: String, _ shape: Shape, _ body: @escaping @Sendable (Tensor) -> Tensor) {
      self.name = name
      self.shape = shape
      self.body = body
    }
  }

  private static func conv(_ x: Tensor, _ channels: Int, kernel: Int = 3, seed: Int = 0) -> Tensor {
    let weights = sample([channels, x.shape[1], kernel, kernel]) * (0.1 + 0.01 * Float(seed))
    return convolution(
      x, weights, ConvolutionGeometry(stride: [1, 1], padding: Padding([kernel / 2, kernel / 2])))
  }

  /// Boxes from distributions over distances, as detectors without anchors have them.
  private static func edges(_ x: Tensor) -> Tensor {
    let (batch, places) = (x.shape[0], x.shape[2])
    let shares = x.reshaped([batch, 4, 16, places]).softmax(2)
    let distances = (shares * Tensor((0..<16).map { Float($0) }, shape: [1, 1, 16, 1])).sum([2])
    let (before, behind) = (distances.sliced(1, 0..<2), distances.sliced(1, 2..<4))
    let centres = sample([1, 2, places])
    let corners = concatenate([centres - before, centres + behind], axis: 1) * sample([1, 1, places])
    let (low, high) = (corners.sliced(1, 0..<2), corners.sliced(1, 2..<4))
    return concatenate([(low + high) * 0.5, high - low], axis: 1)
  }

  static let cases: [Case] = [
    Case("attention of joint projections", [2, 7, 24]) { x in
      let parts = jointProjection(x, sample([72, 24]), bias: sample([72])).map { $0.heads(3) }
      return x + attention(parts[0], parts[1], parts[2], bias: sample([1, 3, 7, 7])).mergedHeads()
    },
    Case("heads cut out of one projection", [1, 5, 48]) { x in
      let split = x.reshaped([1, 5, 3, 4, 4])
      let parts = (0..<3).map { split.selected(2, $0).permuted([0, 2, 1, 3]) }
      return attention(parts[0], parts[1], parts[2]).mergedHeads()
    },
    Case("rows repeated over few channels of one picture", [1, 4, 21]) { x in x * sample([1, 1, 21]) },
    Case("rows repeated over many channels of one picture", [1, 32, 48]) { x in x * sample([1, 1, 48]) },
    Case("parts of one picture beside constants", [1, 4, 21]) { x in
      let halves = x.relu()
      let (before, behind) = (halves.sliced(1, 0..<2), halves.sliced(1, 2..<4))
      return concatenate([sample([1, 2, 21]) - before, sample([1, 2, 21]) + behind], axis: 1)
    },
    Case("sums over an axis of one picture", [1, 64, 21]) { x in
      (x.reshaped([1, 4, 16, 21]).softmax(2) * Tensor((0..<16).map { Float($0) }, shape: [1, 1, 16, 1])).sum([
        2
      ])
    },
    Case("a part of one picture and a constant", [1, 4, 21]) { x in
      sample([1, 2, 21]) + x.relu().sliced(1, 2..<4)
    },
    Case("halves of one picture, added and taken away", [1, 4, 21]) { x in
      let y = x.relu()
      let (low, high) = (y.sliced(1, 0..<2), y.sliced(1, 2..<4))
      return concatenate([(low + high) * 0.5, high - low], axis: 1)
    },
    Case("edges around known centres, of one picture", [1, 64, 21]) { edges($0) },
    Case("edges around known centres, of many places", [1, 64, 1344]) { edges($0) },
    Case("edges around known centres, of two pictures", [2, 64, 21]) { edges($0) },
    Case("a normalization without an ε of channels that fill no block", [1, 16, 6, 6]) { x in
      let (ones, zeros) = (Tensor.ones([20]), Tensor.zeros([20]))
      let normalized = batchNormalized(
        conv(x, 20).relu(), scale: ones, shift: zeros, mean: sample([20]), variance: ones, epsilon: 0)
      return conv(normalized.relu() + normalized, 16)
    },
    Case("a sum with every kind of broadcast", [2, 16, 5, 6]) { x in
      ((x + sample([16, 1, 1])) * sample([2, 1, 5, 6]) - sample([6])) / (sample([1]) + 3)
    },
    Case("quotients by the last row and by few columns", [2, 5, 7]) { x in
      let squares = x.square()
      return squares / (squares.sliced(1, 4..<5) + 1) / sample([7]).exp()
    },
    Case("the first operand is the one that repeats", [3, 4]) { x in sample([3, 1]) - x + sample([1, 4]) },
    Case("a scale per channel computed from the picture", [1, 32, 6, 6]) { x in
      let hidden = conv(x, 32)
      return hidden * conv(hidden.mean([2, 3], keepsAxes: true), 32, kernel: 1).sigmoid()
    },
    Case("dense connections", [1, 32, 8, 8]) { x in
      var value = conv(x, 16)
      for index in 0..<3 { value = concatenate([value, conv(value.relu(), 32, seed: index)], axis: 1) }
      return conv(value, 16, kernel: 1)
    },
    Case("a value in two concatenations", [1, 16, 6, 6]) { x in
      let (a, b) = (conv(x, 16), conv(x, 32, kernel: 1))
      return conv(concatenate([a, b], axis: 1), 16) + conv(concatenate([b, a, a], axis: 1), 16)
    },
    Case("a concatenation that is read in place of its parts, and its parts again", [1, 16, 6, 6]) { x in
      let a = conv(x, 16)
      let joined = concatenate([a, conv(a, 16)], axis: 1)
      return conv(joined.relu(), 16) + a.relu() + joined.sliced(1, 16..<32)
    },
    Case("channels that fill no block", [1, 3, 7, 7]) { x in
      concatenate([conv(x, 5), conv(x, 9), x], axis: 1)
    },
    Case("several pictures", [3, 16, 5, 5]) { x in concatenate([conv(x, 16), x.relu()], axis: 1) },
    Case("channels last between convolutions", [1, 16, 6, 5]) { x in
      let rows = conv(x, 32).permuted([0, 2, 3, 1])
      let mixed = linear(rows, sample([32, 32]), bias: sample([32]))
      return conv((rows + mixed).permuted([0, 3, 1, 2]), 16)
    },
    Case("steps, flips and rolls", [2, 6, 8]) { x in
      concatenate([x.sliced(2, 1..<8, step: 3), x.flipped(1).rolled(2, axis: 2).sliced(2, 0..<2)], axis: 2)
    },
    Case("a reshape of what was permuted", [2, 3, 4, 5]) { x in
      (x.permuted([0, 2, 1, 3]) * 2).reshaped([2, 12, 5]).softmax()
        + x.permuted([0, 2, 1, 3]).reshaped([2, 12, 5])
    },
    Case("a view outlives what would be overwritten", [4, 6]) { x in
      let doubled = x * 2
      let view = doubled.transposed()
      return doubled.exp().transposed() + view
    },
    Case("kernels that rectify", [1, 3, 6, 6]) { x in
      let geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding([1, 1]))
      let hidden = convolution(x, sample([16, 3, 3, 3]), geometry, rectifies: true)
      let normal = batchNormalized(
        hidden, scale: sample([16]), shift: sample([16]), mean: sample([16], seed: 2),
        variance: sample([16]).square() + 1, epsilon: 1e-5)
      return batchNormalized(
        convolution(normal, sample([8, 16, 3, 3]), geometry), scale: sample([8]), shift: sample([8]),
        mean: sample([8], seed: 2), variance: sample([8]).square() + 1, epsilon: 1e-5, rectifies: true)
    },
    Case("nothing at all", [2, 3]) { $0 },
    Case("another shape", [2, 3, 4]) { $0.reshaped([6, 4]) },
    Case("an operation over another shape", [2, 12]) { ($0.reshaped([4, 6]) * 2).relu() },
    Case("two convolutions of the input and the input", [1, 16, 6, 6]) { x in
      conv(x, 16).relu() + conv(x, 16) + x
    },
    Case("normalized rows", [2, 9, 16]) { x in
      layerNormalized(x, scale: sample([16]), shift: sample([16]), epsilon: 1e-5).softmax(1)
    },
  ]

  @Test("bfloat16 on request; float32 where the processor has no kernels for it")
  func bfloat16() {
    let x = sample([1, 16, 9, 9])
    let body: (Tensor) -> Tensor = { x in
      linear(Self.conv(x, 32).relu().permuted([0, 2, 3, 1]), sample([8, 32]), bias: sample([8]))
    }
    let compiled = CompiledGraph(
      TensorSpec(x.shape), precision: .bfloat16, weights: { _ in nil }, capturing: body)
    let difference = relativeDifference(compiled(x), body(x))
    #expect(difference < 2e-2)
    #expect((difference > 1e-4) == DType.bfloat16.isComputed)
  }

  @Test("plans compute what the operations compute", arguments: cases)
  func equalsEager(test: Case) {
    let input = sample(test.shape)
    let values = input.values()
    let expected = test.body(input)
    let other = input * 2
    let expectedOfOther = test.body(other)
    // The same values where a kernel cannot read them.
    let slice = concatenate([input, input], axis: 0).sliced(0, test.shape[0]..<2 * test.shape[0])
    for algorithms in [AlgorithmChoice.once, .direct, .measured] {
      let compiled = CompiledGraph(
        TensorSpec(test.shape), algorithms: algorithms, weights: { _ in nil }, capturing: test.body)
      let first = compiled(input)
      #expect(first.shape == expected.shape)
      #expect(relativeDifference(first, expected) < 1e-5)
      #expect(compiled(slice).values() == first.values())
      #expect(relativeDifference(compiled(other), expectedOfOther) < 1e-5)
      #expect(compiled(input).values() == first.values())
    }
    #expect(input.values() == values)
  }

  /// oneDNN's product of two pictures alike repeats a row of the second where there is one picture.
  @Test("arithmetic with all shapes that go together", arguments: [1, 2], [1, 3, 16, 17])
  func arithmetic(count: Int, channels: Int) {
    let shape = [count, channels, 4, 5]
    let input = sample(shape)
    let functions: [(String, (Tensor, Tensor) -> Tensor)] = [
      ("+", { $0 + $1 }), ("-", { $0 - $1 }), ("*", { $0 * $1 }), ("max", { maximum($0, $1) }),
    ]
    for axes in [[], [0], [1], [3], [2, 3], [1, 2, 3], [0, 3]] as [[Int]] {
      for (name, function) in functions {
        let body: (Tensor) -> Tensor = { x in
          function(x.relu(), axes.isEmpty ? x : x.mean(axes, keepsAxes: true))
        }
        let compiled = CompiledGraph(TensorSpec(shape), weights: { _ in nil }, capturing: body)
        #expect(relativeDifference(compiled(input), body(input)) < 1e-6, "\(name) \(axes)")
      }
    }
  }

  @Test("several inputs of several types, several results: read again, passed on, constant, and one twice")
  func severalInputsAndResults() {
    let table = sample([11, 16])
    let body: ([Tensor]) -> [Tensor] = { inputs in
      let (picture, tokens, shift) = (inputs[0], inputs[1], inputs[2])
      let words = embedding(table, tokens: tokens).mean([1]).reshaped([2, 16, 1, 1])
      let features = Self.conv(picture, 16).relu() + words
      let pooled = (features * shift).mean([2, 3])
      return [features, pooled.argMax(), pooled, picture, tokens, table, pooled]
    }
    func inputs(_ seed: UInt64) -> [Tensor] {
      let tokens = (0..<10).map { Int64(($0 * 7 + Int(seed)) % 11) }
      return [sample([2, 3, 8, 8], seed: seed), Tensor(tokens, shape: [2, 5]), sample([1], seed: seed + 9)]
    }
    let compiled = CompiledGraph(inputs(1).map(\.spec), weights: { _ in nil }, capturing: body)
    for seed in [1, 2, 1] as [UInt64] {
      let (found, expected) = (compiled(inputs(seed)), body(inputs(seed)))
      #expect(found.map(\.spec) == expected.map(\.spec))
      for (one, other) in zip(found, expected) where one.dtype == .float32 {
        #expect(relativeDifference(one, other) < 1e-5)
      }
      for index in [1, 4] {
        #expect(found[index].values(of: Int64.self) == expected[index].values(of: Int64.self))
      }
    }
  }

  @Test("a NaN or infinity in the input is not lost", arguments: cases)
  func keepsNaN(test: Case) {
    for value in [Float.nan, .infinity] {
      var input = sample(test.shape)
      let place = input.count / 2
      input.withUnsafeMutableValues { $0[place] = value }
      let expected = withExactArithmetic { test.body(input) }.values()
      let compiled = CompiledGraph(TensorSpec(test.shape), weights: { _ in nil }, capturing: test.body)
      let found = compiled(input).values()
      // Winograd's transforms may spread a NaN over a whole tile.
      let wrong = zip(found, expected).filter { !$0.isNaN && ($1.isNaN || $0.isInfinite != $1.isInfinite) }
      #expect(wrong.isEmpty, "\(value): \(wrong.count) of \(found.count), such as \(wrong.prefix(3))")
    }
  }

  @Test("a value that becomes too large on the way is lost neither")
  func keepsOverflow() {
    let body: (Tensor) -> Tensor = { x in
      let large = Self.conv(Self.conv(x, 16) * 1e38 * 1e3, 16)
      return Self.conv((large - large.flipped(3)).relu(), 16).relu()
    }
    let input = sample([1, 16, 8, 8])
    let compiled = CompiledGraph(TensorSpec(input.shape), weights: { _ in nil }, capturing: body)
    #expect(compiled(input).values().contains { $0.isNaN })
  }

  @Test("arithmetic that nothing is lost in is done once")
  func raisesNothing() {
    for test in Self.cases {
      let input = sample(test.shape)
      let compiled = CompiledGraph(TensorSpec(test.shape), weights: { _ in nil }, capturing: test.body)
      clear_invalid_flag()
      _ = compiled(input)
      #expect(!has_invalid_flag(), "\(test.name)")
    }
  }

  @Test(
    "results that are brought into their order at the end leave one another alone",
    arguments: [[64, 16, 32], [16, 64, 32], [32, 16, 64], [16, 32, 64], [64, 32, 16], [16, 16, 64, 64]])
  func reorderedResults(channels: [Int]) {
    // The channels of convolutions' results lie in blocks until the end.
    func body(_ inputs: [Tensor]) -> [Tensor] {
      channels.enumerated().map { Self.conv(inputs[0], $1, seed: $0).relu() }
    }
    let x = sample([1, 16, 12, 10])
    let graph = CompiledGraph([x.spec], weights: { _ in nil }, capturing: body)
    for (found, expected) in zip(graph([x]), body([x])) {
      #expect(relativeDifference(found, expected) < 1e-4)
    }
  }
}
