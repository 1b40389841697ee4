import AviaryTensors

/// Gated recurrent units (Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation")
/// over N×T×I.
///
/// Names and equations as PyTorch's `nn.GRU`, see ``GRUCell``.
public typealias GRU = Recurrent<GRUCell>

extension Recurrent where Cell == GRUCell {
  /// From I features (`inputs`) to H per direction (`width`); `resets` as in ``GRUCell``.
  public convenience init(
    _ inputs: Int, _ width: Int, layers: Int = 1, isBidirectional: Bool = false, dropout: Float = 0,
    resets: GRUCell.Reset = .afterProduct
  ) {
    self.init(inputs, layers: layers, isBidirectional: isBidirectional, dropout: dropout) {
      GRUCell($0, width, resets: resets)
    }
  }
}

/// One step of ``GRU``: r = σ(x W_irᵀ + b_ir + h W_hrᵀ + b_hr), z likewise, h' = (1 − z) n + z h, with a candidate n that ``Reset`` makes. Names as
/// PyTorch's `nn.GRUCell`.
public final class GRUCell: RecurrentCell {
  /// h alone.
  public typealias State = HiddenState

  /// Where the reset gate r stands in n: weights of one kind are none of the other.
  public enum Reset: String, Sendable, Hashable, CaseIterable {
    /// n = tanh(x W_inᵀ + b_in + r (h W_hnᵀ + b_hn)): PyTorch's and cuDNN's, and Keras' with `reset_after`, its default since TensorFlow 2.
    case afterProduct
    /// n = tanh(x W_inᵀ + b_in + (r h) W_hnᵀ + b_hn): the paper's, and Keras' without `reset_after`.
    case beforeProduct
  }

  /// 3·H×I, gates in the order r, z, n.
  public let weightIh: Parameter
  /// 3·H×H.
  public let weightHh: Parameter
  /// 3·H.
  public let biasIh: Parameter
  /// 3·H.
  public let biasHh: Parameter
  public let stateWidths: [Int]
  /// How n is made.
  public let resets: Reset

  /// From I features (`inputs`) to H (`width`).
  public init(_ inputs: Int, _ width: Int, resets: Reset = .afterProduct) {
    require(inputs > 0 && width > 0, "a cell from \(inputs) to \(width) features")
    stateWidths = [width]
    self.resets = resets
    weightIh = .recurrent([3 * width, inputs], width: width)
    weightHh = .recurrent([3 * width, width], width: width)
    biasIh = .recurrent([3 * width], width: width)
    biasHh = .recurrent([3 * width], width: width)
  }

  public func projected(_ input: Tensor) -> Tensor { linear(input, weightIh.value, bias: biasIh.value) }

  public func next(_ projection: Tensor, after state: HiddenState) -> HiddenState {
    let hidden = state.hidden
    let width = stateWidths[0]
    let inputs = projection.split(1, into: 3)
    let (reset, update, candidate): (Tensor, Tensor, Tensor)
    switch resets {
    case .afterProduct:
      let products = linear(hidden, weightHh.value, bias: biasHh.value).split(1, into: 3)
      reset = (inputs[0] + products[0]).sigmoid()
      update = (inputs[1] + products[1]).sigmoid()
      candidate = (inputs[2] + reset * products[2]).tanh()
    case .beforeProduct:
      let weights = weightHh.value.split(0, sizes: [2 * width, width])
      let biases = biasHh.value.split(0, sizes: [2 * width, width])
      let products = linear(hidden, weights[0], bias: biases[0]).split(1, into: 2)
      reset = (inputs[0] + products[0]).sigmoid()
      update = (inputs[1] + products[1]).sigmoid()
      candidate = (inputs[2] + linear(reset * hidden, weights[1], bias: biases[1])).tanh()
    }
    return HiddenState(hidden: candidate + update * (hidden - candidate))
  }
}
