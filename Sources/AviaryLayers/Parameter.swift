import AviaryTensors

/// A trained tensor of a module.
///
/// Its first value is made when it is first read, so a model whose weights are loaded never initialises them.
public final class Parameter {
  /// The extents that every value has.
  public let shape: Shape
  private let source: LazyTensor
  private var leaf: Leaf?

  /// A frozen parameter is not tracked and so not trained. Set through ``Module/freeze(_:)``.
  public internal(set) var isFrozen = false

  /// A parameter whose first value `initializer` makes with a random stream of its own.
  public init(_ shape: Shape, _ initializer: Initializer, using generator: RandomGenerator = .current) {
    self.shape = shape
    source = LazyTensor(shape, initializer, generator.split())
  }

  /// The value; tracked inside ``valueAndGradient(of:_:)`` unless frozen. A new value must have the same shape.
  public var value: Tensor {
    get { leaf.map { source.value.tracked(as: $0) } ?? source.value }
    set { source.value = newValue.detached }
  }

  /// Changes the float32 values in place.
  public func update(_ body: (UnsafeMutableBufferPointer<Float>) -> Void) { source.update(body) }

  /// How the operands that are this parameter's value look while shapes are traced.
  var tracedIdentity: ObjectIdentifier { source.abstractValue.identity }

  func startTracking() -> Leaf {
    let leaf = Leaf()
    self.leaf = leaf
    return leaf
  }

  func stopTracking() { leaf = nil }
}

/// A tensor of a module that is saved with it but not trained, such as a running mean.
public final class Buffer {
  /// The extents that every value has.
  public let shape: Shape
  private let source: LazyTensor

  /// A frozen buffer is not updated while training.
  public internal(set) var isFrozen = false

  /// Whether files of weights hold this buffer; what can be worked out anew need not be in them.
  public let isPersistent: Bool

  /// The value follows from the architecture: other frameworks' checkpoints hold it, so ours do, but it is never taken from a file.
  public let isFixed: Bool

  /// A buffer whose first value `initializer` makes, the same in every run.
  public init(_ shape: Shape, _ initializer: Initializer, isPersistent: Bool = true) {
    self.shape = shape
    self.isPersistent = isPersistent
    isFixed = false
    source = LazyTensor(shape, initializer, RandomGenerator(seed: 0))
  }

  /// A buffer that keeps `value`.
  public init(fixed value: Tensor) {
    shape = value.shape
    isPersistent = true
    isFixed = true
    source = LazyTensor(value)
  }

  /// The value, never tracked. A new one must have the same shape.
  public var value: Tensor {
    get { source.value }
    set { source.value = newValue.detached }
  }

  /// As ``Parameter/tracedIdentity``.
  var tracedIdentity: ObjectIdentifier { source.abstractValue.identity }
}

/// A tensor made when it is first read.
final class LazyTensor {
  private enum State {
    case pending(Initializer, RandomGenerator)
    case ready(Tensor)
  }

  private let shape: Shape
  private var state: State
  /// Stands for the value while shapes are traced: the same one every time, so that it can be recognised.
  private(set) lazy var abstractValue = Tensor.abstract(TensorSpec(shape))

  init(_ shape: Shape, _ initializer: Initializer, _ generator: RandomGenerator) {
    self.shape = shape
    state = .pending(initializer, generator)
  }

  init(_ value: Tensor) {
    shape = value.shape
    state = .ready(value)
  }

  var value: Tensor {
    get {
      if Trace.isActive { return abstractValue }
      switch state {
      case .ready(let tensor): return tensor
      case .pending(let initializer, let generator):
        let tensor = initializer.makeTensor(shape, using: generator)
        state = .ready(tensor)
        return tensor
      }
    }
    set {
      require(
        newValue.shape == shape,
        "a value of \(newValue.shape.shapeText) for a parameter of \(shape.shapeText)")
      state = .ready(newValue)
    }
  }

  func update(_ body: (UnsafeMutableBufferPointer<Float>) -> Void) {
    var tensor = value.cast(to: .float32)
    // Give up our own reference first: values nobody else holds are changed without a copy.
    state = .ready(Tensor.abstract(TensorSpec(shape)))
    tensor.withUnsafeMutableValues(body)
    state = .ready(tensor)
  }
}
