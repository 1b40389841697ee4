import AviaryTensors

/// What a network takes or gives: a name, an element type, and which axes are free.
public struct Port: Sendable, Hashable {
  /// An axis of a tensor.
  public enum Axis: Sendable, Hashable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
    case fixed(Int)
    /// Any extent; axes of one letter have the same: N pictures, H×W pixels, T tokens.
    case free(String)

    public init(integerLiteral value: Int) { self = .fixed(value) }
    public init(stringLiteral value: String) { self = .free(value) }
  }

  public let name: String
  public let dtype: DType
  public let axes: [Axis]
  /// The network makes an input of its own where none is given (``Network/defaults(for:)``): a state begins with zeros.
  public let isOptional: Bool

  public init(_ name: String, _ axes: [Axis], _ dtype: DType = .float32, isOptional: Bool = false) {
    self.name = name
    self.axes = axes
    self.dtype = dtype
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
  }
}

/// What a network takes and gives, in order.
public struct Signature: Sendable, Hashable {
  public let inputs: [Port]
  public let outputs: [Port]

  public init(inputs: [Port], outputs: [Port]) {
    self.inputs = inputs
    self.outputs = outputs
  }
}

/// A function from named tensors to named tensors with weights: what can be compiled, summed up, run, compared and converted, whatever
/// it is for.
public protocol Network: Module {
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
  public let name: String
  public let given: String
  public let expected: String
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
        throw SignatureError(name: port.name, given: "missing", expected: port.text + Self.text(extents))
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
          expected: port.text + Self.text(extents))
      }
    }
  }

  private static func text(_ extents: [String: Int]) -> String {
    let known = extents.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }
    return known.isEmpty ? "" : " with " + known.joined(separator: ", ")
  }
}
