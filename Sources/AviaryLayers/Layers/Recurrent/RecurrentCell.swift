import AviaryTensors

/// One step of a recurrence with weights of its own, for decoders that choose their next input themselves, and what ``Recurrent`` repeats.
///
/// Letters: N sequences, I features of an input, H of a result, G gates.
public protocol RecurrentCell: Module {
  /// What is remembered from step to step.
  associatedtype State: RecurrentState
  /// The channels of each of a state's tensors, in the order of ``RecurrentState/parts``; the first are those of the result, H.
  var stateWidths: [Int] { get }
  /// The part of a step that depends on its input alone, for any number of steps at once: N×T×I, or N×I, to as many with G·H features.
  func projected(_ input: Tensor) -> Tensor
  /// The state after a step with the projection (N×G·H) of its input.
  func next(_ projection: Tensor, after state: State) -> State
}

extension RecurrentCell {
  /// A state of zeros for `count` sequences; `extents` are those of the pictures that a convolutional cell reads.
  public func initialState(_ count: Int, extents: [Int] = []) -> State {
    State(parts: stateWidths.map { .zeros([count, $0] + extents) })
  }

  /// N×I, and the state that the step before has left (zeros where none is given), to the state after this one.
  public func callAsFunction(_ input: Tensor, _ state: State? = nil) -> State {
    let state = state ?? initialState(input.shape[0], extents: Array(input.shape.dropFirst(2)))
    return next(projected(input), after: state)
  }
}

/// A cell that has a faster way to learn from all steps of a sequence than one by one.
protocol SequenceCell {
  /// What a ``Recurrent`` without padding makes of a projection N×T×G·H, from a state in parts to the parts after the last step; nil where nothing
  /// is learned, or there is no such way.
  func learn(
    _ projection: Tensor, after parts: [Tensor], isBackward: Bool
  ) -> (output: Tensor, parts: [Tensor])?
}

/// What a recurrence remembers between two steps. Of a cell its tensors are N×H; of several layers and directions they are
/// (layers · directions)×N×H, as PyTorch orders them, layer by layer and forward before backward.
public protocol RecurrentState: Sendable {
  /// The tensors, the first of which is the result of the step that was read last.
  var parts: [Tensor] { get }
  /// A state of as many tensors as ``parts`` are.
  init(parts: [Tensor])
}

extension RecurrentState {
  /// The same values, cut off from how they were computed. Between two pieces of a long sequence this is what ends the backward pass of the second:
  /// truncated backpropagation through time (Williams & Peng 1990).
  public var detached: Self { Self(parts: parts.map(\.detached)) }
}

/// The state of a recurrence that remembers its result alone.
public struct HiddenState: RecurrentState {
  /// h, the result of the step that was read last.
  public var hidden: Tensor

  /// A state to go on from.
  public init(hidden: Tensor) { self.hidden = hidden }

  public init(parts: [Tensor]) {
    require(parts.count == 1, "\(parts.count) tensors for a state of one")
    hidden = parts[0]
  }

  public var parts: [Tensor] { [hidden] }
}

extension Parameter {
  /// Weights or a bias of a recurrence of width H: uniform in ±1/√H, as PyTorch begins.
  static func recurrent(_ shape: Shape, width: Int) -> Parameter {
    Parameter(shape, .torchDefault(fanIn: width))
  }
}
