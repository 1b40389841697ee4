import AviaryTensors

/// What a network takes or gives: a name, an element type, and which axes are free.
public struct TensorPort: Sendable, Hashable {
  /// An axis of a tensor.
  public enum Axis: Sendable, Hashable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
    /// This extent and no other.
    case fixed(Int)
    /// Any extent; axes of one letter have the same: N pictures, H×W pixels, T tokens.
    case free(String)

    public init(integerLiteral value: Int) { self = .fixed(value) }
    public init(stringLiteral value: String) { self = .free(value) }
  }

  /// What the tensor is called among those given or made.
  public let name: String
  /// The element type, for which ``Signature/check(_:)`` takes any other of its kind: floating-point or not.
  public let dtype: DType
  /// The axes in order; none for a scalar.
  public let axes: [Axis]
  /// The network makes an input of its own where none is given (``Network/defaults(for:)``): a state begins with zeros.
  public let isOptional: Bool
  /// Of whole numbers: they are from 0 to less than this. Nil where any will do.
  public let bound: Int?

  /// A tensor by name and axes, which are written as numbers and letters: `["N", 3, "H", "W"]`.
  public init(
    _ name: String, _ axes: [Axis], _ dtype: DType = .float32, below bound: Int? = nil,
    isOptional: Bool = false
  ) {
    self.name = name
    self.axes = axes
    self.dtype = dtype
    self.bound = bound
    self.isOptional = isOptional
  }

  /// `N×3×H×W float32`.
  public var text: String {
    let extents = axes.map { axis in
      switch axis {
      case .fixed(let extent): "\(extent)"
      case .free(let letter): letter
      }
    }
    return "\(extents.isEmpty ? "scalar" : extents.joined(separator: "×")) \(dtype)"
      + (bound.map { " from 0 to \($0 - 1)" } ?? "")
  }
}

/// What a network takes and gives, in order.
public struct Signature: Sendable, Hashable {
  /// What the network takes.
  public let inputs: [TensorPort]
  /// What the network gives.
  public let outputs: [TensorPort]

  /// Ports in the order in which a compiled graph has its tensors.
  public init(inputs: [TensorPort], outputs: [TensorPort]) {
    self.inputs = inputs
    self.outputs = outputs
  }
}

/// A function from named tensors to named tensors with weights: what can be compiled, summed up, run, compared and converted, whatever
/// it is for.
public protocol Network: Module {
  /// What a call takes and gives.
  var signature: Signature { get }
  /// The outputs of ``signature`` for all of its inputs.
  func callAsFunction(_ inputs: NamedTensors) -> NamedTensors
  /// The optional inputs that are not among those given.
  func defaults(for inputs: NamedTensors) -> NamedTensors
}

extension Network {
  public func defaults(for inputs: NamedTensors) -> NamedTensors { [:] }

  /// The inputs with those that the network makes of its own.
  public func completed(_ inputs: NamedTensors) -> NamedTensors {
    NamedTensors(
      inputs.elements + defaults(for: inputs).elements.filter { inputs[ifPresent: $0.name] == nil })
  }
}

/// Tensors do not fit a network's signature.
public struct SignatureError: Error, Equatable, CustomStringConvertible {
  /// The input that does not fit.
  public let name: String
  /// What there is in its place: a shape and a type, or that it is missing or unknown.
  public let given: String
  /// What the network takes there, with the extents of free axes that other inputs decided.
  public let expected: String

  /// An input that does not fit, what was given and what is taken.
  public init(name: String, given: String, expected: String) {
    self.name = name
    self.given = given
    self.expected = expected
  }

  public var description: String { "\(name) is \(given), but the network takes \(expected)" }
}

extension Signature {
  /// Throws ``SignatureError`` unless the tensors are the inputs, with free axes of one letter alike.
  ///
  /// Floating-point tensors of any precision are taken for one another, and so are integers.
  public func check(_ tensors: NamedTensors) throws(SignatureError) {
    for name in tensors.names where !inputs.contains(where: { $0.name == name }) {
      throw SignatureError(
        name: name, given: "no input", expected: inputs.map(\.name).joined(separator: ", "))
    }
    var extents: [String: Int] = [:]
    for port in inputs {
      guard let tensor = tensors[ifPresent: port.name] else {
        if port.isOptional { continue }
        throw SignatureError(name: port.name, given: "missing", expected: port.text + port.text(extents))
      }
      let fits =
        tensor.dtype.isFloatingPoint == port.dtype.isFloatingPoint && tensor.rank == port.axes.count
        && zip(tensor.shape, port.axes).allSatisfy { extent, axis in
          switch axis {
          case .fixed(let wanted): return extent == wanted
          case .free(let letter):
            if let known = extents[letter] { return extent == known }
            extents[letter] = extent
            return extent > 0
          }
        }
      guard fits else {
        throw SignatureError(
          name: port.name, given: "\(tensor.shape.shapeText) \(tensor.dtype)",
          expected: port.text + port.text(extents))
      }
      if let bound = port.bound, let value = tensor.first(notIn: 0..<Int64(bound)) {
        throw SignatureError(name: port.name, given: "\(value) in one place", expected: port.text)
      }
    }
  }

}

extension TensorPort {
  /// The extents of its free axes that are known.
  fileprivate func text(_ extents: [String: Int]) -> String {
    let known = extents.sorted { $0.key < $1.key }.filter { axes.contains(.free($0.key)) }
    return known.isEmpty ? "" : " with " + known.map { "\($0.key) = \($0.value)" }.joined(separator: ", ")
  }
}

extension Tensor {
  /// The first of the whole numbers that is outside of a range.
  fileprivate func first(notIn range: Range<Int64>) -> Int64? {
    cast(to: .int64).values(of: Int64.self).first { !range.contains($0) }
  }
}
