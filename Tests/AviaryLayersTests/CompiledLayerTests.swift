import AviaryLayers
import AviaryTensors
import TestSupport
import Testing

/// Layers whose plans know shapes alone: what depends on values has to be computed there otherwise than operation by operation.
@Suite("Compiled layers of sequences")
struct CompiledLayerTests {
  /// A module and a function of it.
  private final class Wrapped<Part: Module>: Layer {
    let part: Part
    private let body: (Part, Tensor) -> Tensor

    init(_ part: Part, _ body: @escaping (Part, Tensor) -> Tensor) {
      self.part = part
      self.body = body
    }

    func callAsFunction(_ input: Tensor) -> Tensor { body(part, input) }
  }

  /// Compares a function of a module, compiled and not; `make` makes the same module each time.
  private func compare<Part: Module>(
    _ shape: Shape, _ make: @autoclosure () -> Part, _ body: @escaping @Sendable (Part, Tensor) -> Tensor
  ) {
    let input = sample(shape)
    let expected = body(withRandomSeed(7, make), input)
    nonisolated(unsafe) let layer = Wrapped(withRandomSeed(7, make), body)
    #expect(relativeDifference(SharedNetwork(layer: layer)(input), expected) < 1e-5, "\(Part.self)")
  }

  @Test("recurrences of sequences of other lengths, and of pictures")
  func recurrences() {
    compare([2, 4, 3], GRU(3, 5, layers: 2, isBidirectional: true)) { layer, input in
      layer(input, lengths: [2, 4]).output
    }
    compare([2, 4, 3], LSTM(3, 5, projection: 2)) { $0($1, lengths: [1, 3]).state.cell }
    compare([1, 4, 3], LSTM(3, 5, layers: 2)) { $0($1).output }
    for count in [1, 2] { compare([count, 3, 2, 4, 5], ConvLSTM2d(2, 3, kernel: 3)) { $0($1).output } }
  }

  @Test("attention in blocks, and a mixture whose experts all see all tokens there")
  func attention() {
    compare([2, 9, 8], MultiHeadAttention(8, heads: 2)) { layer, input in
      layer(query: input, key: input, value: input, isCausal: true)
    }
    compare([1, 2, 9, 8], Dropout(0)) { _, input in
      blockwiseAttention(input, input * 0.5, input, isCausal: true, block: 4)
    }
    for chosen in [1, 3] {
      compare([5, 6], MixtureOfExperts(6, experts: 4, chosen: chosen) { SwiGLU(6, hidden: 3) }) {
        $0($1).output
      }
      compare([5, 6], MixtureOfExperts(6, experts: 4, chosen: chosen, gating: .overAll) { Linear(6, 6) }) {
        $0($1).balance.reshaped([1])
      }
    }
  }
}
