import AviaryTensors

/// Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000) over N×T×I.
///
/// Names and equations as PyTorch's `nn.LSTM`, see ``LSTMCell``.
public typealias LSTM = Recurrent<LSTMCell>

extension Recurrent where Cell == LSTMCell {
  /// From I features (`inputs`) to H per direction (`width`), or to P where h is projected to fewer (`projection`).
  public convenience init(
    _ inputs: Int, _ width: Int, layers: Int = 1, isBidirectional: Bool = false, dropout: Float = 0,
    projection: Int? = nil
  ) {
    self.init(inputs, layers: layers, isBidirectional: isBidirectional, dropout: dropout) {
      LSTMCell($0, width, projection: projection)
    }
  }
}

/// One step of ``LSTM``: (i, f, g, o) = x W_ihᵀ + b_ih + h W_hhᵀ + b_hh, c' = σ(f) c + σ(i) tanh(g), h' = σ(o) tanh(c'), which is then projected by
/// W_hr where there is one (Sak et al. 2014, "LSTM Based RNN Architectures for Large Vocabulary Speech Recognition"). Names as PyTorch's
/// `nn.LSTMCell`.
public final class LSTMCell: RecurrentCell {
  /// What an LSTM remembers.
  public struct State: RecurrentState {
    /// h, the result of the step that was read last.
    public var hidden: Tensor
    /// c, what the forget gates clear and the input gates add to.
    public var cell: Tensor

    /// A state to go on from.
    public init(hidden: Tensor, cell: Tensor) {
      self.hidden = hidden
      self.cell = cell
    }

    public init(parts: [Tensor]) {
      require(parts.count == 2, "\(parts.count) tensors for an LSTM's h and c")
      self.init(hidden: parts[0], cell: parts[1])
    }

    public var parts: [Tensor] { [hidden, cell] }
  }

  /// 4·H×I, gates in the order i, f, g, o.
  public let weightIh: Parameter
  /// 4·H×H, or 4·H×P with a projection.
  public let weightHh: Parameter
  /// 4·H.
  public let biasIh: Parameter
  /// 4·H.
  public let biasHh: Parameter
  /// P×H, what h is projected by; nil where it is not.
  public let weightHr: Parameter?
  public let stateWidths: [Int]

  /// From I features (`inputs`) to H (`width`), or to P (`projection`).
  public init(_ inputs: Int, _ width: Int, projection: Int? = nil) {
    require(inputs > 0 && width > 0, "a cell from \(inputs) to \(width) features")
    require(
      projection.map { 1..<width ~= $0 } ?? true, "a projection of \(width) to \(projection ?? 0) features")
    stateWidths = [projection ?? width, width]
    weightIh = .recurrent([4 * width, inputs], width: width)
    weightHh = .recurrent([4 * width, projection ?? width], width: width)
    biasIh = .recurrent([4 * width], width: width)
    biasHh = .recurrent([4 * width], width: width)
    weightHr = projection.map { .recurrent([$0, width], width: width) }
  }

  public func projected(_ input: Tensor) -> Tensor {
    linear(input, weightIh.value, bias: biasIh.value + biasHh.value)
  }

  public func next(_ projection: Tensor, after state: State) -> State {
    let gates = projection + linear(state.hidden, weightHh.value)
    let parts = gates.split(1, into: 4)
    let cell = parts[1].sigmoid() * state.cell + parts[0].sigmoid() * parts[2].tanh()
    let hidden = parts[3].sigmoid() * cell.tanh()
    return State(hidden: weightHr.map { linear(hidden, $0.value) } ?? hidden, cell: cell)
  }

  /// N×I, with h and c of the step before, to those of this one.
  public func callAsFunction(
    _ input: Tensor, hidden: Tensor, cell: Tensor
  ) -> (hidden: Tensor, cell: Tensor) {
    let state = self(input, State(hidden: hidden, cell: cell))
    return (state.hidden, state.cell)
  }
}

extension LSTMCell: SequenceCell {
  func learn(
    _ projection: Tensor, after parts: [Tensor], isBackward: Bool
  ) -> (output: Tensor, parts: [Tensor])? {
    let weights = weightHh.value
    guard weightHr == nil, ([projection, weights] + parts).contains(where: \.isTracked) else { return nil }
    let results = LSTMSequence(isBackward: isBackward).apply([projection, weights] + parts)
    return (results[0], Array(results.dropFirst()))
  }
}
