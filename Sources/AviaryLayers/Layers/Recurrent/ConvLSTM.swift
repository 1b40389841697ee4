import AviaryTensors

/// A convolutional LSTM (Shi et al. 2015, "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting") over pictures in
/// time, N×T×C×H×W.
public typealias ConvLSTM2d = Recurrent<ConvLSTM2dCell>

extension Recurrent where Cell == ConvLSTM2dCell {
  /// From C channels (`inputs`) to as many as `channels` says per direction; `kernel` as in ``ConvLSTM2dCell``.
  public convenience init(
    _ inputs: Int, _ channels: Int, kernel: Extents, layers: Int = 1, isBidirectional: Bool = false,
    dropout: Float = 0
  ) {
    self.init(inputs, layers: layers, isBidirectional: isBidirectional, dropout: dropout) {
      ConvLSTM2dCell($0, channels, kernel: kernel)
    }
  }
}

/// One step of ``ConvLSTM2d``: that of an ``LSTMCell`` with convolutions in the place of its products and one bias, as Keras' `ConvLSTM2D` has it with
/// `padding="same"`. The paper's gates also see the cell; what is in use today has left that out.
public final class ConvLSTM2dCell: RecurrentCell {
  /// h and c, N×O×H×W each.
  public typealias State = LSTMCell.State

  /// 4·O×C×kernel for O channels of the state, gates in the order i, f, g, o.
  public let weightIh: Parameter
  /// 4·O×O×kernel.
  public let weightHh: Parameter
  /// 4·O.
  public let biasIh: Parameter
  public let stateWidths: [Int]
  private let geometry: ConvolutionGeometry

  /// From C channels (`inputs`) to O (`channels`); height and width of the kernel are odd, so that pictures keep their size.
  public init(_ inputs: Int, _ channels: Int, kernel: Extents) {
    let kernel = kernel.resolved(2)
    require(
      inputs > 0 && channels > 0 && kernel.allSatisfy { $0 > 0 && $0 % 2 == 1 },
      "a cell from \(inputs) to \(channels) channels with a kernel of \(kernel.shapeText)")
    stateWidths = [channels, channels]
    weightIh = Parameter([4 * channels, inputs] + kernel, .xavierUniform())
    weightHh = Parameter([4 * channels, channels] + kernel, .xavierUniform())
    biasIh = Parameter([4 * channels], .zeros)
    geometry = ConvolutionGeometry(stride: [1, 1], padding: Padding(kernel.map { $0 / 2 }))
  }

  /// Pictures N×C×H×W, or N×T×C×H×W for several steps at once, to as many with 4·O channels.
  public func projected(_ input: Tensor) -> Tensor {
    let picture = Array(input.shape.suffix(3))
    let result = convolution(input.reshaped([-1] + picture), weightIh.value, bias: biasIh.value, geometry)
    return result.reshaped(Array(input.shape.dropLast(3)) + result.shape.dropFirst())
  }

  public func next(_ projection: Tensor, after state: State) -> State {
    let parts = (projection + convolution(state.hidden, weightHh.value, geometry)).split(1, into: 4)
    let cell = parts[1].sigmoid() * state.cell + parts[0].sigmoid() * parts[2].tanh()
    return State(hidden: parts[3].sigmoid() * cell.tanh(), cell: cell)
  }
}
