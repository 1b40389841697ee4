import AviaryLayers
import AviaryTensors
import Foundation
import TestSupport
import Testing

/// Recurrent layers against PyTorch's, forward and backward; see `tools/reference/recurrent_fixtures.py`.
@Suite("Recurrent layers against PyTorch")
struct RecurrentTests {
  static let file = Result {
    try GoldenFile(
      Bundle.module.bundleURL.appending(
        path: "Fixtures/recurrent.safetensors", directoryHint: .notDirectory))
  }

  @Test(
    "LSTM: outputs, state and gradients",
    arguments: [
      ("lstm", 1, false), ("lstm of two layers with a state", 2, false), ("lstm in both directions", 2, true),
    ])
  func lstm(name: String, layers: Int, isBidirectional: Bool) throws {
    let file = try Self.file.get()
    func tensor(_ role: String) throws -> Tensor { try #require(file["\(name).\(role)"], "\(role)") }
    let input = try tensor("input")
    let width = try tensor("next_hidden").shape[2]
    let layer = LSTM(input.shape[2], width, layers: layers, isBidirectional: isBidirectional)
    for (name, parameter) in layer.namedParameters { parameter.value = try tensor(name) }
    let state = try file["\(name).hidden"].map { LSTM.State(hidden: $0, cell: try tensor("cell")) }
    let upstream = try tensor("upstream")

    let (output, next) = layer(input, state)
    #expect(relativeDifference(output, try tensor("output")) < 1e-5)
    #expect(relativeDifference(next.hidden, try tensor("next_hidden")) < 1e-5)
    #expect(relativeDifference(next.cell, try tensor("next_cell")) < 1e-5)

    let leaf = Leaf()
    let (_, gradients) = valueAndGradient(of: layer) { (layer(input, state).output * upstream).sum() }
    for (name, parameter) in layer.namedParameters {
      let found = try #require(gradients[parameter], "\(name)")
      #expect(relativeDifference(found, try tensor("gradient." + name)) < 1e-5, "\(name)")
    }
    let value = withRecording { (layer(input.tracked(as: leaf), state).output * upstream).sum() }
    let found = try #require(backward(from: value, to: [leaf])[0])
    #expect(relativeDifference(found, try tensor("gradient.input")) < 1e-5)
  }

  @Test("a sequence read in pieces with its state carried is the sequence read at once")
  func pieces() {
    let layer = LSTM(3, 5, layers: 2)
    let input = sample([2, 7, 3])
    let (whole, last) = layer(input)
    let (first, middle) = layer(input.sliced(1, 0..<3))
    let (second, end) = layer(input.sliced(1, 3..<7), middle)
    #expect(relativeDifference(concatenate([first, second], axis: 1), whole) < 1e-6)
    #expect(relativeDifference(end.cell, last.cell) < 1e-6)
  }
}
