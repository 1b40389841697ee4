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

  /// Compares outputs, the state after them and gradients of a case.
  private func compare<Cell>(_ name: String, _ layer: Recurrent<Cell>) throws {
    let file = try Self.file.get()
    func tensor(_ role: String) throws -> Tensor { try #require(file["\(name).\(role)"], "\(role)") }
    let input = try tensor("input")
    #expect(Set(layer.namedParameters.map(\.name)) == parameters(of: name, in: file))
    for (name, parameter) in layer.namedParameters { parameter.value = try tensor(name) }
    let given = ["hidden", "cell"].compactMap { file["\(name).\($0)"] }
    let state = given.isEmpty ? nil : Recurrent<Cell>.State(parts: given)
    let lengths = file["\(name).lengths"]?.values(of: Int64.self).map(Int.init)
    let upstream = try tensor("upstream")

    let (output, next) = layer(input, state, lengths: lengths)
    #expect(relativeDifference(output, try tensor("output")) < 1e-5)
    for (role, part) in zip(["next_hidden", "next_cell"], next.parts) {
      #expect(relativeDifference(part, try tensor(role)) < 1e-5, "\(role)")
    }

    func loss(_ input: Tensor) -> Tensor { (layer(input, state, lengths: lengths).output * upstream).sum() }
    let (_, gradients) = valueAndGradient(of: layer) { loss(input) }
    for (name, parameter) in layer.namedParameters {
      let found = try #require(gradients[parameter], "\(name)")
      #expect(relativeDifference(found, try tensor("gradient." + name)) < 1e-5, "\(name)")
    }
    let found = gradient(at: input) { loss($0) }
    #expect(relativeDifference(found, try tensor("gradient.input")) < 1e-5)
  }

  private func parameters(of name: String, in file: GoldenFile) -> Set<String> {
    let prefix = "\(name).gradient."
    let names = file.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    return Set(names).subtracting(["input"])
  }

  @Test(
    "LSTM: outputs, state and gradients",
    arguments: [
      ("lstm", 6, 1, false, nil), ("lstm of two layers with a state", 6, 2, false, nil),
      ("lstm in both directions", 3, 2, true, nil), ("lstm of other lengths", 3, 2, true, nil),
      ("lstm with a projection", 5, 2, true, 2),
    ])
  func lstm(name: String, width: Int, layers: Int, isBidirectional: Bool, projection: Int?) throws {
    try compare(
      name, LSTM(4, width, layers: layers, isBidirectional: isBidirectional, projection: projection))
  }

  @Test("plain recurrences: outputs, state and gradients")
  func rnn() throws {
    try compare("rnn", RNN(4, 6))
    try compare("rnn with relu", RNN(4, 3, layers: 2, isBidirectional: true, nonlinearity: .relu))
    try compare("rnn of other lengths", RNN(4, 3, isBidirectional: true))
  }

  @Test("units that are on or off: a plain recurrence with signs remembers the last step that was not 0")
  func signs() {
    let layer = RNN(1, 1, nonlinearity: .sign)
    // h' = sign(2 x + h): an input of ±1 decides, one of 0 leaves h as it is.
    for (name, parameter) in layer.namedParameters {
      parameter.value = Tensor(
        [name.hasPrefix("weight") ? name.hasPrefix("weight_ih") ? Float(2) : 1 : 0], shape: parameter.shape)
    }
    let input = Tensor([0, 1, 0, 0, -1, 0, -1, 1, 0].map { Float($0) }, shape: [1, 9, 1])
    #expect(layer(input).output.values() == [0, 1, 1, 1, -1, -1, -1, 1, 1])
    let found = gradient(at: input) { layer($0).output.sum() + $0.sum() }
    #expect(found.values().allSatisfy { $0 == 1 })
  }

  @Test("gated recurrent units: outputs, state and gradients")
  func gru() throws {
    try compare("gru", GRU(4, 6))
    try compare("gru in both directions", GRU(4, 3, layers: 2, isBidirectional: true))
    try compare("gru of other lengths", GRU(4, 3, layers: 2, isBidirectional: true))
    try compare("gru that resets before", GRU(4, 3, resets: .beforeProduct))
  }

  @Test("a convolutional LSTM: outputs, state and gradients")
  func convolutional() throws {
    try compare("convolutional lstm", ConvLSTM2d(3, 2, kernel: 3))
  }

  @Test("a cell's steps are its layer's")
  func cells() {
    func compare<Cell>(_ cell: Cell, _ layer: Recurrent<Cell>) {
      for (own, other) in zip(layer.parameters, cell.parameters) { own.value = other.value }
      let input = sample([2, 4, 3])
      let (output, end) = layer(input)
      var state = cell(input.selected(1, 0))
      for step in 1..<4 { state = cell(input.selected(1, step), state) }
      #expect(relativeDifference(state.parts[0], output.selected(1, 3)) < 1e-6)
      for (own, other) in zip(end.parts, state.parts) {
        #expect(relativeDifference(own.squeezed(0), other) < 1e-6)
      }
    }
    compare(RNNCell(3, 5), RNN(3, 5))
    compare(GRUCell(3, 5), GRU(3, 5))
    compare(LSTMCell(3, 5, projection: 2), LSTM(3, 5, projection: 2))
  }

  @Test("what an LSTM learns from a sequence at once is what it learns step by step, its state included")
  func sequence() {
    let layer = LSTM(3, 5, isBidirectional: true)
    let cells = [LSTMCell(3, 5), LSTMCell(3, 5)]
    for (own, other) in zip(layer.parameters, cells.flatMap(\.parameters)) { other.value = own.value }
    let input = sample([2, 6, 3])
    let state = LSTM.State(hidden: sample([2, 2, 5], seed: 2), cell: sample([2, 2, 5], seed: 3))
    let weights = (2..<5).map { sample($0 == 2 ? [2, 6, 10] : [2, 2, 5], seed: UInt64($0) + 3) }
    func loss(_ output: Tensor, _ hidden: Tensor, _ cell: Tensor) -> Tensor {
      (output * weights[0]).sum() + (hidden * weights[1]).sum() + (cell * weights[2]).sum()
    }
    func stepped(_ input: Tensor, _ state: LSTM.State) -> Tensor {
      var (outputs, ends): ([Tensor], [LSTM.State]) = ([], [])
      for (direction, cell) in cells.enumerated() {
        var own = LSTM.State(parts: state.parts.map { $0.selected(0, direction) })
        var steps: [Int: Tensor] = [:]
        for place in direction == 0 ? Array(0..<6) : (0..<6).reversed() {
          own = cell(input.selected(1, place), own)
          steps[place] = own.hidden
        }
        outputs.append(stack((0..<6).map { steps[$0]! }, axis: 1))
        ends.append(own)
      }
      return loss(concatenate(outputs, axis: 2), stack(ends.map(\.hidden)), stack(ends.map(\.cell)))
    }
    func atOnce(_ input: Tensor, _ state: LSTM.State) -> Tensor {
      let (output, end) = layer(input, state)
      return loss(output, end.hidden, end.cell)
    }
    let inputs = [input, state.hidden, state.cell]
    let (value, found) = valueAndGradients(at: inputs) { atOnce($0[0], LSTM.State(parts: Array($0[1...]))) }
    let (expected, others) = valueAndGradients(at: inputs) {
      stepped($0[0], LSTM.State(parts: Array($0[1...])))
    }
    #expect(abs(value.item() - expected.item()) < 1e-5)
    for (own, other) in zip(found, others) { #expect(relativeDifference(own, other) < 1e-5) }
    let learned = valueAndGradient(of: layer) { atOnce(input, state) }.gradients
    for (cell, own) in zip(cells, [layer.parameters.prefix(4), layer.parameters.suffix(4)]) {
      let others = valueAndGradient(of: cell) { stepped(input, state) }.gradients
      for (parameter, other) in zip(own, cell.parameters) {
        #expect(relativeDifference(learned[parameter]!, others[other]!) < 1e-5)
      }
    }
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

  @Test("truncated backpropagation: a detached state carries values between pieces, and no gradient")
  func truncated() {
    let layer = GRU(3, 4)
    let input = sample([2, 6, 3])
    let weights = sample([2, 3, 4], seed: 3)
    /// The gradient at all steps of what the second three return.
    func gradients(isTruncated: Bool) -> Tensor {
      gradient(at: input) { input in
        let (_, middle) = layer(input.sliced(1, 0..<3))
        let (second, _) = layer(input.sliced(1, 3..<6), isTruncated ? middle.detached : middle)
        return (second * weights).sum()
      }
    }
    let (whole, truncated) = (gradients(isTruncated: false), gradients(isTruncated: true))
    #expect(relativeDifference(truncated.sliced(1, 3..<6), whole.sliced(1, 3..<6)) < 1e-6)
    #expect(whole.sliced(1, 0..<3).abs().amax().item() > 1e-3)
    #expect(truncated.sliced(1, 0..<3).abs().amax().item() == 0)

    // The parameters' gradient is that of a piece which begins with the numbers of the first one's end.
    let middle = layer(input.sliced(1, 0..<3)).state
    let piece = valueAndGradient(of: layer) {
      (layer(input.sliced(1, 3..<6), middle).output * weights).sum()
    }
    let carried = valueAndGradient(of: layer) {
      let middle = layer(input.sliced(1, 0..<3)).state.detached
      return (layer(input.sliced(1, 3..<6), middle).output * weights).sum()
    }
    for parameter in layer.parameters {
      #expect(relativeDifference(carried.gradients[parameter]!, piece.gradients[parameter]!) < 1e-6)
    }
  }

  @Test("an LSTM whose forget gate is 1 and whose input gate is 0 keeps its cell, and the cell's gradient")
  func constantCell() {
    let layer = LSTM(2, 3)
    for (name, parameter) in layer.namedParameters where name.hasPrefix("bias_ih") {
      // σ of these is 0 and 1 to the last bit.
      let gates: [Float] = [-200, 200, 0, 0]
      parameter.value = Tensor(gates.flatMap { [$0, $0, $0] })
    }
    let cell = sample([1, 2, 3])
    let input = sample([2, 20, 2], seed: 4)
    let state = LSTM.State(hidden: sample([1, 2, 3], seed: 5), cell: cell)
    #expect(layer(input, state).state.cell.values() == cell.values())
    let upstream = sample([1, 2, 3], seed: 6)
    let found = gradient(at: cell) { cell in
      (layer(input, LSTM.State(hidden: state.hidden, cell: cell)).state.cell * upstream).sum()
    }
    #expect(found.values() == upstream.values())
  }

  @Test(
    "a sequence without a step keeps its state, and what is between layers is dropped while training alone")
  func edges() {
    let layer = GRU(3, 4, layers: 2, dropout: 0.5)
    let input = sample([2, 3, 3])
    let state = HiddenState(hidden: sample([2, 2, 4], seed: 2))
    let (output, end) = layer(input, state, lengths: [0, 3])
    #expect(output.selected(0, 0).abs().amax().item() == 0)
    #expect(end.hidden.selected(1, 0).values() == state.hidden.selected(1, 0).values())
    let whole = layer(input, state)
    #expect(relativeDifference(output.selected(0, 1), whole.output.selected(0, 1)) < 1e-6)
    layer.train()
    #expect(relativeDifference(withRandomSeed(1) { layer(input, state).output }, whole.output) > 1e-2)
  }
}
