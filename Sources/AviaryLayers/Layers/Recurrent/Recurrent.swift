import AviaryTensors

/// A recurrence over N×T×I: one or several layers of cells on top of each other, in one direction or both.
///
/// ``RNN``, ``LSTM``, ``GRU`` and ``ConvLSTM2d`` are recurrences of their cells. Names as PyTorch's: those of a cell with the layer and, of the
/// pass from the end, `_reverse` behind them, `weight_ih_l0`, `weight_hh_l1_reverse`.
public final class Recurrent<Cell: RecurrentCell>: ParameterContainer, ModeDependent {
  /// What the layers remember.
  public typealias State = Cell.State

  /// How many layers lie on top of each other.
  public let layerCount: Int
  /// Whether a second pass reads each layer's input from its end; the results then are 2·H wide.
  public let isBidirectional: Bool
  /// The probability that a value between two layers is zeroed while training.
  public let dropout: Float
  /// Only while true is ``dropout`` applied.
  public var isTraining = false
  /// In the order of a state.
  private let cells: [Cell]

  /// Layers of cells that `makeCell` makes for as many features as it is given: I of the first layer, and what a layer returns of the others.
  public init(
    _ inputs: Int, layers: Int = 1, isBidirectional: Bool = false, dropout: Float = 0,
    makeCell: (_ inputs: Int) -> Cell
  ) {
    require(layers > 0, "\(layers) layers of a recurrence")
    layerCount = layers
    self.isBidirectional = isBidirectional
    self.dropout = dropout
    let directions = isBidirectional ? 2 : 1
    var (cells, features): ([Cell], Int) = ([], inputs)
    for _ in 0..<layers {
      cells += (0..<directions).map { _ in makeCell(features) }
      features = directions * cells[0].stateWidths[0]
    }
    self.cells = cells
  }

  /// H, the features per direction.
  public var width: Int { cells[0].stateWidths[0] }

  private var directions: Int { isBidirectional ? 2 : 1 }

  /// Those of each cell in the order of a state.
  public var ownParameters: [(name: String, parameter: Parameter)] {
    cells.enumerated().flatMap { index, cell in
      let suffix = "_l\(index / directions)" + (index % directions == 0 ? "" : "_reverse")
      return cell.namedParameters.map { ($0.name + suffix, $0.parameter) }
    }
  }

  /// A state of zeros for `count` sequences; `extents` are those of the pictures that convolutional cells read.
  public func initialState(_ count: Int, extents: [Int] = []) -> State {
    State(parts: cells[0].stateWidths.map { .zeros([cells.count, count, $0] + extents) })
  }

  /// N×T×I to N×T×(directions · H), from a state (zeros where none is given) to the one after the last step.
  ///
  /// - Parameter lengths: how many steps of each sequence count, from 0 to T; all of them where nil. The rest is padding: what is returned for it
  ///   is 0, a sequence's state stays as its last step left it, and the pass from the end begins there. This is what PyTorch makes of packed
  ///   sequences.
  public func callAsFunction(
    _ input: Tensor, _ state: State? = nil, lengths: [Int]? = nil
  ) -> (output: Tensor, state: State) {
    require(
      input.rank > 2 && input.shape[1] > 0,
      "a recurrence reads sequences N×T×features, not \(input.shape.shapeText)")
    let padding = Padding(lengths, of: input.shape)
    let beginnings =
      state.map { state in
        cells.indices.map { place in State(parts: state.parts.map { $0.selected(0, place) }) }
      }
      ?? cells.map { $0.initialState(input.shape[0], extents: Array(input.shape.dropFirst(3))) }
    var value = input
    var ends: [[Tensor]] = []
    for layer in 0..<layerCount {
      if layer > 0, isTraining { value = value.dropout(probability: dropout) }
      let outputs = (0..<directions).map { direction -> Tensor in
        let index = layer * directions + direction
        let (output, end) = run(
          cells[index], value, beginnings[index], isBackward: direction == 1, padding)
        ends.append(end.parts)
        return output
      }
      value = concatenate(outputs, axis: 2)
    }
    let parts = ends[0].indices.map { part in stack(ends.map { $0[part] }) }
    return (value, State(parts: parts))
  }

  /// N×T×I to N×T×H in one direction.
  private func run(
    _ cell: Cell, _ input: Tensor, _ state: State, isBackward: Bool, _ padding: Padding
  ) -> (output: Tensor, state: State) {
    // What does not depend on the step before is one product for all steps.
    let projection = cell.projected(input)
    if padding.isEmpty,
      let (output, parts) = (cell as? any SequenceCell)?.learn(
        projection, after: state.parts, isBackward: isBackward)
    {
      return (output, State(parts: parts))
    }
    var state = state
    var outputs: [Tensor] = []
    let places = isBackward ? Array((0..<input.shape[1]).reversed()) : Array(0..<input.shape[1])
    let steps = projection.isTracked ? SequenceSteps().apply([projection]) : nil
    for place in places {
      let next = cell.next(steps?[place] ?? projection.selected(1, place), after: state)
      state = padding.kept(next, over: state, at: place)
      outputs.append(padding.cleared(next.parts[0], at: place))
    }
    return (stack(isBackward ? outputs.reversed() : outputs, axis: 1), state)
  }

  /// Which places of a batch are behind the end of their sequence.
  private struct Padding {
    /// Per place N×1…, true for sequences that have ended; nil where none has.
    private let ended: [Tensor?]

    /// Whether there is none.
    var isEmpty: Bool { ended.allSatisfy { $0 == nil } }

    init(_ lengths: [Int]?, of shape: Shape) {
      let (count, steps) = (shape[0], shape[1])
      let lengths = lengths ?? .init(repeating: steps, count: count)
      require(
        lengths.count == count && lengths.allSatisfy { 0...steps ~= $0 },
        "lengths \(lengths) of \(count) sequences of \(steps) steps")
      ended = (0..<steps).map { place in
        if lengths.allSatisfy({ $0 > place }) { return nil }
        // An axis less than the input has, for a step has no time.
        let flags = [count] + Shape(repeating: 1, count: shape.count - 2)
        return Tensor(lengths.map { $0 <= place }, shape: flags)
      }
    }

    /// The new state of sequences that go on, and the old one of those that have ended.
    func kept(_ next: State, over state: State, at place: Int) -> State {
      guard let ended = ended[place] else { return next }
      return State(parts: zip(state.parts, next.parts).map { select(ended, $0, $1) })
    }

    /// Zeros in the place of what sequences return that have ended.
    func cleared(_ output: Tensor, at place: Int) -> Tensor {
      ended[place].map { select($0, Tensor(Float(0)), output) } ?? output
    }
  }
}
