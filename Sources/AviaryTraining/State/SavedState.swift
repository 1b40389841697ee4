import AviaryTensors

/// What an optimiser or an average keeps between steps, as a checkpoint of training can hold it: tensors whose names end in those of the
/// parameters they belong to (`exp_avg.layer1.0.conv1.weight`), and small numbers such as counts of steps.
///
/// Restored into a new object made with the same options, it lets training go on bit for bit. Options (learning rates, groups) are not in it.
public struct SavedState: Sendable {
  /// Each name once.
  public var tensors: [(name: String, tensor: Tensor)]
  /// By name; a Double holds every count and every Float exactly.
  public var numbers: [String: Double]

  /// A state of these tensors and numbers.
  public init(tensors: [(name: String, tensor: Tensor)] = [], numbers: [String: Double] = [:]) {
    self.tensors = tensors
    self.numbers = numbers
  }
}

/// Why a saved state is not that of the object that is to take it. The object stays as it was.
public enum SavedStateError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A tensor or number of this name is not there.
  case missing(String)
  /// Nothing of this name belongs there, or it is there twice.
  case unexpected(String)
  /// A tensor's shape is not the parameter's.
  case shape(String, given: Shape, expected: Shape)
  /// A tensor does not hold float32 values.
  case type(String, given: DType)
  /// A number that cannot be, such as a count of −1 steps.
  case number(String, given: Double)

  public var description: String {
    switch self {
    case .missing(let name): "the saved state lacks \(name)"
    case .unexpected(let name): "the saved state has \(name), which does not belong there"
    case .shape(let name, let given, let expected):
      "\(name) of the saved state is \(given.shapeText), expected \(expected.shapeText)"
    case .type(let name, let given): "\(name) of the saved state holds \(given), expected float32"
    case .number(let name, let given): "\(name) of the saved state is \(given)"
    }
  }
}

/// Takes a saved state apart, entry by entry; what is left at the end is too much.
struct SavedStateReader {
  private var tensors: [String: Tensor] = [:]
  private var numbers: [String: Double]

  init(_ state: SavedState) throws(SavedStateError) {
    numbers = state.numbers
    for (name, tensor) in state.tensors {
      guard tensors.updateValue(tensor, forKey: name) == nil else { throw .unexpected(name) }
    }
  }

  mutating func tensor(_ name: String, _ shape: Shape) throws(SavedStateError) -> Tensor {
    guard let tensor = tensors.removeValue(forKey: name) else { throw .missing(name) }
    guard tensor.shape == shape else { throw .shape(name, given: tensor.shape, expected: shape) }
    guard tensor.dtype == .float32 else { throw .type(name, given: tensor.dtype) }
    return tensor
  }

  /// A finite number.
  mutating func number(_ name: String) throws(SavedStateError) -> Double {
    guard let number = numbers.removeValue(forKey: name) else { throw .missing(name) }
    guard number.isFinite else { throw .number(name, given: number) }
    return number
  }

  mutating func count(_ name: String) throws(SavedStateError) -> Int {
    let number = try number(name)
    guard let count = Int(exactly: number), count >= 0 else { throw .number(name, given: number) }
    return count
  }

  /// The count of this name, or nil where there is none.
  mutating func countIfPresent(_ name: String) throws(SavedStateError) -> Int? {
    numbers[name] == nil ? nil : try count(name)
  }

  /// Throws when something is left.
  func finish() throws(SavedStateError) {
    if let name = (Array(tensors.keys) + Array(numbers.keys)).min() { throw .unexpected(name) }
  }
}
