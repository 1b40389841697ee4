import AviaryTensors

/// Tensors by name, in an order: what goes into a network and what comes out of it.
public struct NamedTensors: Sendable, ExpressibleByDictionaryLiteral {
  /// What the tensors are called, each name once, in order.
  public private(set) var names: [String] = []
  /// The tensors, in the order of ``names``.
  public private(set) var tensors: [Tensor] = []

  /// No tensors.
  public init() {}

  public init(dictionaryLiteral elements: (String, Tensor)...) {
    self.init(elements)
  }

  /// Tensors with their names, in order; the last tensor of a name takes the place of those before it.
  public init(_ elements: [(String, Tensor)]) {
    for (name, tensor) in elements { self[ifPresent: name] = tensor }
  }

  /// The tensor called `name`, which must be there.
  public subscript(_ name: String) -> Tensor {
    get {
      guard let tensor = self[ifPresent: name] else {
        requirementFailure("there is no tensor \(name) but \(names.joined(separator: ", "))")
      }
      return tensor
    }
    set { self[ifPresent: name] = newValue }
  }

  /// The tensor called `name`, if there is one; setting it to nil removes it.
  public subscript(ifPresent name: String) -> Tensor? {
    get { names.firstIndex(of: name).map { tensors[$0] } }
    set {
      switch (names.firstIndex(of: name), newValue) {
      case (let index?, let tensor?): tensors[index] = tensor
      case (let index?, nil):
        names.remove(at: index)
        tensors.remove(at: index)
      case (nil, let tensor?):
        names.append(name)
        tensors.append(tensor)
      case (nil, nil): break
      }
    }
  }

  /// Names with their tensors, in order.
  public var elements: [(name: String, tensor: Tensor)] { zip(names, tensors).map { ($0, $1) } }
}
