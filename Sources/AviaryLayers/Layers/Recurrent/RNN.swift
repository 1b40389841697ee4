import AviaryTensors

/// A plain recurrence (Elman 1990, "Finding Structure in Time") over N×T×I.
///
/// Names and equations as PyTorch's `nn.RNN`, see ``RNNCell``.
public typealias RNN = Recurrent<RNNCell>

extension Recurrent where Cell == RNNCell {
  /// From I features (`inputs`) to H per direction (`width`); `nonlinearity` as in ``RNNCell``.
  public convenience init(
    _ inputs: Int, _ width: Int, layers: Int = 1, isBidirectional: Bool = false, dropout: Float = 0,
    nonlinearity: RNNCell.Nonlinearity = .tanh
  ) {
    self.init(inputs, layers: layers, isBidirectional: isBidirectional, dropout: dropout) {
      RNNCell($0, width, nonlinearity: nonlinearity)
    }
  }
}

/// One step of ``RNN``: h' = tanh(x W_ihᵀ + b_ih + h W_hhᵀ + b_hh), or another function of it. Names as PyTorch's `nn.RNNCell`.
public final class RNNCell: RecurrentCell {
  /// h alone.
  public typealias State = HiddenState

  /// A function of the sums; PyTorch and Keras know tanh and ReLU.
  public enum Nonlinearity: Sendable, Hashable {
    /// Any activation function.
    case activation(Activation)
    /// 1 of positive numbers, −1 of negative ones, 0 of 0: units that are on or off. Nothing before it has a gradient.
    case sign

    /// Elman's squashing function, as most use it.
    public static let tanh = Nonlinearity.activation(.tanh)
    /// max(x, 0).
    public static let relu = Nonlinearity.activation(.relu)

    func callAsFunction(_ sums: Tensor) -> Tensor {
      switch self {
      case .activation(let activation): activation(sums)
      case .sign:
        select(
          sums .> Tensor(Float(0)), Tensor(Float(1)),
          select(sums .< Tensor(Float(0)), Tensor(Float(-1)), Tensor(Float(0))))
      }
    }
  }

  /// H×I.
  public let weightIh: Parameter
  /// H×H.
  public let weightHh: Parameter
  /// H.
  public let biasIh: Parameter
  /// H.
  public let biasHh: Parameter
  public let stateWidths: [Int]
  /// The function of the sums.
  public let nonlinearity: Nonlinearity

  /// From I features (`inputs`) to H (`width`).
  public init(_ inputs: Int, _ width: Int, nonlinearity: Nonlinearity = .tanh) {
    require(inputs > 0 && width > 0, "a cell from \(inputs) to \(width) features")
    stateWidths = [width]
    self.nonlinearity = nonlinearity
    weightIh = .recurrent([width, inputs], width: width)
    weightHh = .recurrent([width, width], width: width)
    biasIh = .recurrent([width], width: width)
    biasHh = .recurrent([width], width: width)
  }

  public func projected(_ input: Tensor) -> Tensor {
    linear(input, weightIh.value, bias: biasIh.value + biasHh.value)
  }

  public func next(_ projection: Tensor, after state: HiddenState) -> HiddenState {
    HiddenState(hidden: nonlinearity(projection + linear(state.hidden, weightHh.value)))
  }
}
