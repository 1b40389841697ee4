import AviaryTensors

/// Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000) over N×T×I, one or several layers on top
/// of each other, in one direction or both.
///
/// Names and equations as PyTorch's `nn.LSTM`: (i, f, g, o) = x W_ihᵀ + b_ih + h W_hhᵀ + b_hh, c' = σ(f) c + σ(i) tanh(g),
/// h' = σ(o) tanh(c').
public final class LSTM: ParameterContainer, ModeDependent {
  /// What the layers remember: (layers · directions)×N×H each, as PyTorch orders it, layer by layer and forward before backward.
  public struct State: Sendable {
    /// h, the result of each layer and direction for the step it read last.
    public var hidden: Tensor
    /// c, what the forget gates clear and the input gates add to.
    public var cell: Tensor

    /// A state to go on from; both tensors are (layers · directions)×N×H.
    public init(hidden: Tensor, cell: Tensor) {
      self.hidden = hidden
      self.cell = cell
    }
  }

  /// One layer in one direction.
  private struct Pass {
    let suffix: String
    let isBackward: Bool
    let inputWeight: Parameter
    let hiddenWeight: Parameter
    let inputBias: Parameter
    let hiddenBias: Parameter
  }

  /// H, the features per direction.
  public let width: Int
  /// How many layers lie on top of each other.
  public let layerCount: Int
  /// Whether a second pass reads each layer's input from its end; the results then are 2·H wide.
  public let isBidirectional: Bool
  /// The probability that a value between two layers is zeroed while training.
  public let dropout: Float
  /// Only while true is ``dropout`` applied.
  public var isTraining = false
  /// In the order of a state.
  private let passes: [Pass]

  /// From I features (`inputs`) to H per direction (`width`).
  public init(
    _ inputs: Int, _ width: Int, layers: Int = 1, isBidirectional: Bool = false, dropout: Float = 0
  ) {
    require(inputs > 0 && width > 0 && layers > 0, "\(layers) layers from \(inputs) to \(width) features")
    self.width = width
    layerCount = layers
    self.isBidirectional = isBidirectional
    self.dropout = dropout
    let directions = isBidirectional ? 2 : 1
    passes = (0..<layers).flatMap { layer in
      (0..<directions).map { direction in
        let inputs = layer == 0 ? inputs : directions * width
        return Pass(
          suffix: "_l\(layer)" + (direction == 0 ? "" : "_reverse"), isBackward: direction == 1,
          inputWeight: Parameter([4 * width, inputs], .torchDefault(fanIn: width)),
          hiddenWeight: Parameter([4 * width, width], .torchDefault(fanIn: width)),
          inputBias: Parameter([4 * width], .torchDefault(fanIn: width)),
          hiddenBias: Parameter([4 * width], .torchDefault(fanIn: width)))
      }
    }
  }

  /// Per layer and direction: weights 4·H×I and 4·H×H, biases 4·H twice, gates in the order i, f, g, o.
  public var ownParameters: [(name: String, parameter: Parameter)] {
    passes.flatMap { pass in
      [
        ("weight_ih" + pass.suffix, pass.inputWeight), ("weight_hh" + pass.suffix, pass.hiddenWeight),
        ("bias_ih" + pass.suffix, pass.inputBias), ("bias_hh" + pass.suffix, pass.hiddenBias),
      ]
    }
  }

  /// A state of zeros for `count` sequences.
  public func initialState(_ count: Int) -> State {
    let zeros = Tensor.zeros([passes.count, count, width])
    return State(hidden: zeros, cell: zeros)
  }

  /// N×T×I to N×T×(directions · H), from a state (zeros where none is given) to the one after the last step.
  public func callAsFunction(_ input: Tensor, _ state: State? = nil) -> (output: Tensor, state: State) {
    require(input.rank == 3 && input.shape[1] > 0, "an LSTM reads N×T×\(width), not \(input.shape.shapeText)")
    let state = state ?? initialState(input.shape[0])
    var value = input
    var (hidden, cells): ([Tensor], [Tensor]) = ([], [])
    for layer in 0..<layerCount {
      if layer > 0, isTraining { value = value.dropout(probability: dropout) }
      let directions = isBidirectional ? 2 : 1
      let outputs = (0..<directions).map { direction -> Tensor in
        let index = layer * directions + direction
        let (output, last, cell) = run(passes[index], value, state.hidden[index], state.cell[index])
        hidden.append(last)
        cells.append(cell)
        return output
      }
      value = concatenate(outputs, axis: 2)
    }
    return (value, State(hidden: stack(hidden), cell: stack(cells)))
  }

  /// N×T×I to N×T×H; hidden and cell N×H.
  private func run(
    _ pass: Pass, _ input: Tensor, _ hidden: Tensor, _ cell: Tensor
  ) -> (output: Tensor, hidden: Tensor, cell: Tensor) {
    // What does not depend on the step before is one product for all steps.
    let fromInput = linear(
      input, pass.inputWeight.value, bias: pass.inputBias.value + pass.hiddenBias.value)
    var (hidden, cell) = (hidden, cell)
    let count = input.shape[1]
    var outputs: [Tensor] = []
    for step in 0..<count {
      let place = pass.isBackward ? count - 1 - step : step
      let gates = fromInput.selected(1, place) + linear(hidden, pass.hiddenWeight.value)
      let parts = gates.split(1, into: 4)
      cell = parts[1].sigmoid() * cell + parts[0].sigmoid() * parts[2].tanh()
      hidden = parts[3].sigmoid() * cell.tanh()
      outputs.append(hidden)
    }
    return (stack(pass.isBackward ? outputs.reversed() : outputs, axis: 1), hidden, cell)
  }
}
