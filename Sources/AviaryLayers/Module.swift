import AviaryTensors

#if compiler(>=6.2)
  /// Of a type whose conformances belong to no actor: the compiler lets only such values be handed from thread to thread as a protocol's.
  public typealias Unisolated = SendableMetatype
#else
  /// Conformances that belong to an actor are not known to this compiler.
  public typealias Unisolated = Any
#endif

/// Anything that holds parameters, buffers or other modules as stored properties.
///
/// There is nothing to implement: parameters are found by looking at the properties. Their names are the property names in
/// snake case, joined by dots, so `layer1[0].conv1.weight` of a Swift model is `layer1.0.conv1.weight` of its
/// checkpoint. Parameters must be properties of their own or stand in arrays; not in tuples, dictionaries or structs.
public protocol Module: AnyObject, Unisolated {}

/// A module that maps one tensor to one tensor.
public protocol Layer: Module {
  /// The layer's result for one batch.
  func callAsFunction(_ input: Tensor) -> Tensor
}

/// A layer that can put its result through a ReLU in the same pass over memory.
public protocol RectifiableLayer: Layer {
  /// The layer's result where it is positive, else 0.
  func rectified(_ input: Tensor) -> Tensor
}

/// Runs layers one after another; a ReLU goes with the layer before it where that can do both in one pass.
///
/// A trace shows every layer on its own.
public func callInSequence(_ layers: some RandomAccessCollection<any Layer>, on input: Tensor) -> Tensor {
  var value = input
  var rest = layers[...]
  while let layer = rest.popFirst() {
    if let rectifiable = layer as? any RectifiableLayer, (rest.first as? Activate)?.activation == .relu,
      !Trace.isActive
    {
      value = rectifiable.rectified(value)
      rest = rest.dropFirst()
    } else {
      value = layer(value)
    }
  }
  return value
}

/// A module whose children have names other than those of its properties.
public protocol Container: Module {
  /// The modules inside, in order; what is inside one with an empty name counts as the container's own.
  var namedChildren: [(name: String, module: any Module)] { get }
}

/// A module without children whose parameters have names other than those of its properties.
public protocol ParameterContainer: Module {
  /// All parameters with the names checkpoints know them by, in order.
  var ownParameters: [(name: String, parameter: Parameter)] { get }
}

/// A module that behaves differently while training (dropout, batch normalization).
public protocol ModeDependent: Module {
  /// True between ``Module/train()`` and ``Module/evaluate()``, which set it; false at first.
  var isTraining: Bool { get set }
}

extension Module {
  /// Everything inside this module, depth first in the order of declaration, with dotted names.
  func members() -> [(name: String, member: Member)] {
    var walk = MemberWalk()
    walk.visit(self, prefix: "")
    return walk.members
  }
}

extension Module {
  /// All parameters with their names, each once.
  public var namedParameters: [(name: String, parameter: Parameter)] {
    var seen = Set<ObjectIdentifier>()
    return members().compactMap { name, member in
      guard case .parameter(let parameter) = member, seen.insert(ObjectIdentifier(parameter)).inserted
      else { return nil }
      return (name, parameter)
    }
  }

  /// All buffers (kept with the weights, not trained) with their names, each once.
  public var namedBuffers: [(name: String, buffer: Buffer)] {
    var seen = Set<ObjectIdentifier>()
    return members().compactMap { name, member in
      guard case .buffer(let buffer) = member, seen.insert(ObjectIdentifier(buffer)).inserted else {
        return nil
      }
      return (name, buffer)
    }
  }

  /// All modules inside this one with their names, in the order of declaration; this one itself is not among them.
  public var namedModules: [(name: String, module: any Module)] {
    members().compactMap { name, member in
      if case .module(let module) = member { (name, module) } else { nil }
    }
  }

  /// All parameters in the order of declaration, each once.
  public var parameters: [Parameter] { namedParameters.map(\.parameter) }
  /// The number of trained values, frozen ones included.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.shape.elementCount } }

  /// Puts every layer inside into training mode. What was frozen stays frozen.
  public func train() { setMode(isTraining: true) }
  /// Puts every layer inside into evaluation mode, the one a new model is in.
  public func evaluate() { setMode(isTraining: false) }

  private func setMode(isTraining: Bool) {
    for case let module as any ModeDependent in [self] + namedModules.map(\.module) {
      module.isTraining = isTraining
    }
  }
}
