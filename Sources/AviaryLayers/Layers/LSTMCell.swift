import AviaryTensors

/// One step of ``LSTM``'s recurrence, for decoders that choose their next input themselves: (i, f, g, o) = x W_ihᵀ + b_ih + h W_hhᵀ + b_hh,
/// c' = σ(f) c + σ(i) tanh(g), h' = σ(o) tanh(c'). Names as PyTorch's `nn.LSTMCell`.
public final class LSTMCell: Module {
  /// 4·H×I, gates in the order i, f, g, o.
  public let weightIh: Parameter
  /// 4·H×H.
  public let weightHh: Parameter
  /// 4·H.
  public let biasIh: Parameter
  /// 4·H.
  public let biasHh: Parameter

  /// From I features (`inputs`) to H (`width`).
  public init(_ inputs: Int, _ width: Int) {
    require(inputs > 0 && width > 0, "a cell from \(inputs) to \(width) features")
    weightIh = Parameter([4 * width, inputs], .torchDefault(fanIn: width))
    weightHh = Parameter([4 * width, width], .torchDefault(fanIn: width))
    biasIh = Parameter([4 * width], .torchDefault(fanIn: width))
    biasHh = Parameter([4 * width], .torchDefault(fanIn: width))
  }

  /// N×I, with h and c N×H of the step before, to those of this one.
  public func callAsFunction(
    _ input: Tensor, hidden: Tensor, cell: Tensor
  ) -> (hidden: Tensor, cell: Tensor) {
    let gates =
      linear(input, weightIh.value, bias: biasIh.value + biasHh.value) + linear(hidden, weightHh.value)
    let parts = gates.split(1, into: 4)
    let next = parts[1].sigmoid() * cell + parts[0].sigmoid() * parts[2].tanh()
    return (parts[3].sigmoid() * next.tanh(), next)
  }
}
