import AviaryTensors

/// A plain recurrence (Elman 1990, "Finding Structure in Time") over N×T×I.
///
/// Names and equations as PyTorch's `nn.RNN`, see ``RNNCell``.
public typealias RNN = Recurrent<RNNCell>

extension Recurrent where Cell == RNNCell {
  /// From I features (`inputs`) to H per direction (`width`); `activation` as in ``RNNCell``.
  public convenience init(
    _ inputs: Int, _ width: Int, layers: Int = 1, isBidirectional: Bool = false, dropout: Float = 0,
    activation: Activation = .tanh
  ) {
    self.init(inputs, layers: layers, isBidirectional: isBidirectional, dropout: dropout) {
      RNNCell($0, width, activation: activation)
    }
  }
}

/// One step of ``RNN``: h' = tanh(x W_ihᵀ + b_ih + h W_hhᵀ + b_hh), or another function of it. Names as PyTorch's `nn.RNNCell`.
public final class RNNCell: RecurrentCell {
  /// h alone.
  public typealias State = HiddenState

  /// H×I.
  public let weightIh: Parameter
  /// H×H.
  public let weightHh: Parameter
  /// H.
  public let biasIh: Parameter
  /// H.
  public let biasHh: Parameter
  public let stateWidths: [Int]
  /// The function; PyTorch and Keras know tanh and ReLU.
  public let activation: Activation

  /// From I features (`inputs`) to H (`width`).
  public init(_ inputs: Int, _ width: Int, activation: Activation = .tanh) {
    require(inputs > 0 && width > 0, "a cell from \(inputs) to \(width) features")
    stateWidths = [width]
    self.activation = activation
    weightIh = .recurrent([width, inputs], width: width)
    weightHh = .recurrent([width, width], width: width)
    biasIh = .recurrent([width], width: width)
    biasHh = .recurrent([width], width: width)
  }

  public func projected(_ input: Tensor) -> Tensor {
    linear(input, weightIh.value, bias: biasIh.value + biasHh.value)
  }

  public func next(_ projection: Tensor, after state: HiddenState) -> HiddenState {
    HiddenState(hidden: activation(projection + linear(state.hidden, weightHh.value)))
  }
}
