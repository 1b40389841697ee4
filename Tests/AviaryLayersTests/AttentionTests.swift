import AviaryLayers
import AviaryTensors
import Foundation
import TestSupport
import Testing

@Suite("Attention")
struct AttentionTests {
  @Test(
    "attention in blocks is attention, forward and backward, with a bias, without later places, and for other numbers of queries",
    arguments: [3, 4, 16], [false, true])
  func blocks(block: Int, isCausal: Bool) {
    for (queries, bias) in [
      (10, nil), (7, sample([2, 1, 1, 10], seed: 5)), (7, sample([7, 10], seed: 6)),
      (1, sample([10], seed: 7)),
    ] {
      let inputs = [
        sample([2, 3, queries, 4], in: -3..<3), sample([2, 3, 10, 4], seed: 2, in: -3..<3),
        sample([2, 3, 10, 5], seed: 3),
      ]
      let upstream = sample([2, 3, queries, 5], seed: 4)
      var plainBias = bias
      if isCausal { plainBias = (bias ?? Tensor(Float(0))) + causalBias(queries, 10) }
      let inBlocks = valueAndGradients(at: inputs) {
        (blockwiseAttention($0[0], $0[1], $0[2], bias: bias, isCausal: isCausal, block: block) * upstream)
          .sum()
      }
      let plain = valueAndGradients(at: inputs) {
        (attention($0[0], $0[1], $0[2], bias: plainBias) * upstream).sum()
      }
      let outputs = (
        blockwiseAttention(inputs[0], inputs[1], inputs[2], bias: bias, isCausal: isCausal, block: block),
        attention(inputs[0], inputs[1], inputs[2], bias: plainBias)
      )
      #expect(relativeDifference(outputs.0, outputs.1) < 1e-5)
      for (found, expected) in zip(inBlocks.gradients, plain.gradients) {
        #expect(relativeDifference(found, expected) < 1e-5)
      }
    }
  }

  @Test("where a mask hides all keys of a block, or all keys of a sequence, blocks give numbers")
  func hiddenBlocks() {
    let (query, key, value) = (
      sample([2, 1, 4, 4]), sample([2, 1, 8, 4], seed: 2), sample([2, 1, 8, 4], seed: 3)
    )
    // The first block of one sequence, and all of the other.
    let mask = attentionBias(hiding: Tensor((0..<16).map { $0 < 4 || $0 >= 8 }, shape: [2, 8]))
    let found = blockwiseAttention(query, key, value, bias: mask, block: 4)
    #expect(relativeDifference(found[0], attention(query, key, value, bias: mask)[0]) < 1e-5)
    #expect(found.values().allSatisfy { $0.isFinite })
  }

  @Test("the memory of attention in blocks does not grow with the square of the length")
  func memory() throws {
    func peak(_ length: Int, _ body: (Tensor, Tensor, Tensor) -> Tensor) throws -> Int? {
      let parts = (1...3).map { sample([1, 1, length, 8], seed: UInt64($0)) }
      return try PeakMemory.during { _ = body(parts[0], parts[1], parts[2]) }
    }
    // Scores of 8192 places with 8192 are 256 MiB.
    let length = 8192
    guard let found = try peak(length, { blockwiseAttention($0, $1, $2, isCausal: true) }) else { return }
    #expect(found < 32 << 20)
    let backward = try #require(
      try peak(length) { query, key, value in
        gradient(at: query) { blockwiseAttention($0, key, value, isCausal: true).sum() }
      })
    #expect(backward < 64 << 20)
  }

  @Test(
    "self-attention without positions follows a permutation of its places, and with positions it does not")
  func permutations() {
    let attention = MultiHeadAttention(8, heads: 2)
    let input = sample([2, 5, 8])
    let order = [3, 0, 4, 1, 2]
    let permuted = attention(input.taking(order, axis: 1))
    #expect(relativeDifference(permuted, attention(input).taking(order, axis: 1)) < 1e-5)
    let positions = sinusoidalPositions(5, width: 8)
    let placed = attention(input.taking(order, axis: 1) + positions)
    #expect(relativeDifference(placed, attention(input + positions).taking(order, axis: 1)) > 1e-2)
  }

  @Test("masked attention never looks ahead: what comes later changes nothing, and has no gradient")
  func causality() {
    let attention = MultiHeadAttention(8, heads: 2)
    let (input, other) = (sample([1, 6, 8]), sample([1, 6, 8], seed: 2))
    func seen(_ input: Tensor) -> Tensor {
      attention(query: input, key: input, value: input, isCausal: true).sliced(1, 0..<4)
    }
    let changed = concatenate([input.sliced(1, 0..<4), other.sliced(1, 4..<6)], axis: 1)
    #expect(relativeDifference(seen(changed), seen(input)) < 1e-6)
    let gradient = gradient(at: input) { seen($0).square().sum() }
    #expect(gradient.sliced(1, 4..<6).abs().amax().item() == 0)
    #expect(gradient.sliced(1, 0..<4).abs().amax().item() > 1e-4)
    // Of the last query, all keys are in view: the mask stands at the end of the keys.
    let last = attention(query: input.sliced(1, 5..<6), key: input, value: input, isCausal: true)
    let whole = attention(query: input, key: input, value: input, isCausal: true)
    #expect(relativeDifference(last, whole.sliced(1, 5..<6)) < 1e-5)
  }

  @Test("experts that a gate chooses are a loop over all of them", arguments: [1, 2, 3])
  func experts(chosen: Int) throws {
    for gating in MixtureOfExperts<SwiGLU>.Gating.allCases {
      let mixture = MixtureOfExperts(6, experts: 4, chosen: chosen, gating: gating) { SwiGLU(6, hidden: 5) }
      let input = sample([2, 7, 6])
      func loop(_ input: Tensor) -> Tensor {
        let scores = mixture.gate(input)
        let (best, places) = scores.topK(chosen)
        let all = scores.softmax().gathered(2, places)
        let shares = gating == .overChosen ? best.softmax() : all
        return (0..<chosen).map { choice in
          (0..<4).map { expert -> Tensor in
            let isChosen = places.sliced(2, choice..<choice + 1) .== Tensor(Int64(expert))
            let share = select(isChosen, shares.sliced(2, choice..<choice + 1), Tensor(Float(0)))
            return mixture.experts[expert](input) * share
          }.reduce(Tensor.zeros(input.shape)) { $0 + $1 }
        }.reduce(Tensor.zeros(input.shape)) { $0 + $1 }
      }
      let upstream = sample([2, 7, 6], seed: 3)
      #expect(relativeDifference(mixture(input).output, loop(input)) < 1e-5)
      let found = valueAndGradient(of: mixture) { (mixture(input).output * upstream).sum() }.gradients
      let expected = valueAndGradient(of: mixture) { (loop(input) * upstream).sum() }.gradients
      for (name, parameter) in mixture.namedParameters {
        guard let wanted = expected[parameter] else { continue }
        // An expert that nobody chose has no gradient, or one of zeros.
        let gradient = found[parameter] ?? .zeros(parameter.shape)
        // One expert's share of its own scores is 1, whatever they are.
        if name == "gate.weight", chosen == 1, gating == .overChosen {
          #expect(gradient.abs().amax().item() < 1e-6)
        } else {
          #expect(relativeDifference(gradient, wanted) < 1e-5, "\(name)")
        }
      }
    }
  }

  @Test("the balance of experts is 1 where all are alike, and their number where one is always chosen")
  func balance() {
    let mixture = MixtureOfExperts(4, experts: 4, chosen: 1) { Linear(4, 4) }
    mixture.gate.weight.value = Tensor((0..<16).map { $0 % 5 == 0 ? Float(30) : 0 }, shape: [4, 4])
    // Each token is for one expert, each expert for as many tokens.
    let even = Tensor((0..<16).map { $0 % 5 == 0 ? Float(1) : 0 }, shape: [1, 4, 4])
    #expect(abs(mixture(even).balance.item() - 1) < 1e-5)
    let uneven = Tensor((0..<16).map { $0 % 4 == 2 ? Float(1) : 0 }, shape: [1, 4, 4])
    #expect(abs(mixture(uneven).balance.item() - 4) < 1e-4)
    // A gate that knows nothing gives every expert the same probability.
    mixture.gate.weight.value = .zeros([4, 4])
    #expect(abs(mixture(uneven).balance.item() - 1) < 1e-6)
    let gradient = valueAndGradient(of: mixture) { mixture(even).balance }.gradients[mixture.gate.weight]
    #expect(gradient != nil)
  }
}
