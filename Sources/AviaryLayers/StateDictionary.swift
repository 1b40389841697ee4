import AviaryTensors

/// A parameter or buffer that files of weights hold, by its place in a module.
public struct StateEntry {
  /// The dotted name inside the module, `layer1.0.conv1.weight`.
  public let name: String
  /// The shape of the tensor, which a new value must have too.
  public let shape: Shape
  /// True for a parameter, false for a buffer such as a running mean.
  public let isTrained: Bool
  /// True for a buffer whose value follows from the architecture: writing to it changes nothing.
  public let isFixed: Bool
  private let read: () -> Tensor
  private let write: (Tensor) -> Void

  fileprivate init(_ name: String, _ parameter: Parameter) {
    self.name = name
    shape = parameter.shape
    isTrained = true
    isFixed = false
    read = { parameter.value.detached }
    write = { parameter.value = $0 }
  }

  fileprivate init(_ name: String, _ buffer: Buffer) {
    self.name = name
    shape = buffer.shape
    isTrained = false
    isFixed = buffer.isFixed
    read = { buffer.value }
    write = { if !buffer.isFixed { buffer.value = $0 } }
  }

  /// The tensor; a new one must have the same shape.
  public var value: Tensor {
    get { read() }
    nonmutating set { write(newValue) }
  }
}

extension Module {
  /// Everything a file of this module's weights holds: parameters and persistent buffers, in the order of declaration.
  public var stateEntries: [StateEntry] {
    var seen = Set<ObjectIdentifier>()
    return members().compactMap { name, member in
      switch member {
      case .parameter(let parameter):
        return seen.insert(ObjectIdentifier(parameter)).inserted ? StateEntry(name, parameter) : nil
      case .buffer(let buffer):
        guard buffer.isPersistent, seen.insert(ObjectIdentifier(buffer)).inserted else { return nil }
        return StateEntry(name, buffer)
      case .module: return nil
      }
    }
  }
}
