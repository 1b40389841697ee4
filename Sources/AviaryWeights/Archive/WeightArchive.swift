import AviaryTensors

/// Named tensors in the order of their file, and what the file says about them.
///
/// Readers return an archive and writers take one. Tensors of mapped files are not read before their values are.
public struct WeightArchive: Sendable {
  /// The names, in order.
  public private(set) var names: [String] = []
  private var tensors: [String: Tensor] = [:]
  /// Strings beside the tensors: the `__metadata__` of a safetensors file, the root attributes of an HDF5 file.
  public var metadata: [String: String] = [:]
  /// The description that Aviary's portable files carry.
  public var portable: PortableMetadata?
  /// The layers of a Keras file: their order and how each spells its weights.
  public var keras: KerasStructure?

  public init() {}

  /// An archive of the given tensors; throws ``WeightsError`` when a name occurs twice.
  public init(_ entries: [(name: String, tensor: Tensor)]) throws {
    for (name, tensor) in entries { try append(name, tensor) }
  }

  public var count: Int { names.count }
  public var isEmpty: Bool { names.isEmpty }

  /// Names and tensors in order.
  public var entries: [(name: String, tensor: Tensor)] { names.map { ($0, tensors[$0]!) } }

  /// Names and shapes.
  public var shapes: [String: Shape] { tensors.mapValues(\.shape) }

  /// Bytes of all tensors.
  public var byteCount: Int { tensors.values.reduce(0) { $0 + $1.byteCount } }

  /// The tensor called `name`. A new name goes to the end; `nil` removes.
  public subscript(name: String) -> Tensor? {
    get { tensors[name] }
    set {
      if newValue == nil {
        names.removeAll { $0 == name }
      } else if tensors[name] == nil {
        names.append(name)
      }
      tensors[name] = newValue
    }
  }

  /// Adds a tensor; throws ``WeightsError`` when the name is taken.
  public mutating func append(_ name: String, _ tensor: Tensor) throws {
    guard tensors[name] == nil else {
      throw WeightsError(.malformed, "two tensors are called \(name.quoted)")
    }
    names.append(name)
    tensors[name] = tensor
  }

  /// The same metadata with other tensors.
  func replacingEntries(with entries: [(name: String, tensor: Tensor)]) throws -> WeightArchive {
    var result = try WeightArchive(entries)
    result.metadata = metadata
    result.portable = portable
    result.keras = keras
    return result
  }
}
