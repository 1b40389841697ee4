/// An immutable n-dimensional array.
///
/// The logical order is the field's: images N×C×H×W, convolution weights O×I×H×W, linear weights out×in, sequences N×T×D.
/// How the bytes lie is up to the operation that produced them; every reading of values is row-major.
/// A tensor that depends on something a gradient is taken of remembers how it was computed.
public struct Tensor: Sendable {
  /// Extents of the axes, the slowest one of the logical order first; none for a scalar.
  public let shape: Shape
  /// What the elements are stored as.
  public let dtype: DType
  var storage: Storage
  let layout: Layout
  /// How this tensor was computed, when a gradient may ask for it.
  let node: Node?

  init(shape: Shape, dtype: DType, storage: Storage, layout: Layout = .rowMajor, node: Node? = nil) {
    self.shape = shape
    self.dtype = dtype
    self.storage = storage
    self.layout = layout
    self.node = node
  }

  /// The number of axes.
  public var rank: Int { shape.count }
  /// The number of elements.
  public var count: Int { shape.elementCount }
  /// Bytes of the elements, not counting any padding of the physical layout.
  public var byteCount: Int { count * dtype.byteCount }
  /// Shape and element type.
  public var spec: TensorSpec { TensorSpec(shape, dtype) }
  /// True when a gradient can flow back through this tensor.
  public var isTracked: Bool { node != nil }

  /// The same values, cut off from how they were computed: no gradient flows through (stop-gradient).
  public var detached: Tensor { with(node: nil) }

  func with(node: Node?) -> Tensor {
    Tensor(shape: shape, dtype: dtype, storage: storage, layout: layout, node: node)
  }
}

/// The shape and element type of a tensor, known without its values.
public struct TensorSpec: Hashable, Sendable {
  /// Extents of the axes, in logical order.
  public let shape: Shape
  /// What the elements are stored as.
  public let dtype: DType

  /// What is known of a tensor of this shape, float32 unless said otherwise.
  public init(_ shape: Shape, _ dtype: DType = .float32) {
    self.shape = shape
    self.dtype = dtype
  }
}

// MARK: Making tensors

extension Tensor {
  /// Uninitialised row-major values, filled by `body` before anyone sees them.
  init<Scalar: TensorScalar>(
    _ shape: Shape, of type: Scalar.Type, filledBy body: (UnsafeMutableBufferPointer<Scalar>) throws -> Void
  ) rethrows {
    let count = shape.elementCount
    let storage = Storage(byteCount: Swift.max(count, 1) * Scalar.dtype.byteCount)
    let pointer = storage.pointer.bindMemory(to: Scalar.self, capacity: Swift.max(count, 1))
    try body(UnsafeMutableBufferPointer(start: pointer, count: count))
    self.init(shape: shape, dtype: Scalar.dtype, storage: storage)
  }

  init(_ shape: Shape, filledBy body: (UnsafeMutableBufferPointer<Float>) throws -> Void) rethrows {
    try self.init(shape, of: Float.self, filledBy: body)
  }

  /// A tensor of `values` in row-major order, one per element of `shape`.
  public init<Scalar: TensorScalar>(_ values: [Scalar], shape: Shape) {
    require(
      values.count == shape.elementCount, "\(values.count) values given for the shape \(shape.shapeText)")
    self.init(shape, of: Scalar.self) { _ = $0.update(fromContentsOf: values) }
  }

  /// A vector.
  public init<Scalar: TensorScalar>(_ values: [Scalar]) { self.init(values, shape: [values.count]) }

  /// A scalar.
  public init<Scalar: TensorScalar>(_ value: Scalar) { self.init([value], shape: []) }

  /// Every element equal to `value`.
  public init<Scalar: TensorScalar>(repeating value: Scalar, shape: Shape) {
    self.init(shape, of: Scalar.self) { $0.update(repeating: value) }
  }

  /// Zeros as float32.
  public static func zeros(_ shape: Shape) -> Tensor { Tensor(repeating: Float(0), shape: shape) }
  /// Ones as float32.
  public static func ones(_ shape: Shape) -> Tensor { Tensor(repeating: Float(1), shape: shape) }

  /// `count` numbers `start, start + step, …`.
  public static func arange(_ count: Int, start: Float = 0, step: Float = 1) -> Tensor {
    Tensor([count]) { values in
      for index in values.indices { values[index] = start + Float(index) * step }
    }
  }

  /// Row-major values whose bytes `body` writes: for readers of files.
  public init(
    shape: Shape, dtype: DType, bytesFilledBy body: (UnsafeMutableRawBufferPointer) throws -> Void
  ) rethrows {
    let byteCount = shape.elementCount * dtype.byteCount
    let storage = Storage(byteCount: Swift.max(byteCount, 1))
    try body(UnsafeMutableRawBufferPointer(start: storage.pointer, count: byteCount))
    self.init(shape: shape, dtype: dtype, storage: storage)
  }

  /// Row-major values that stay in a mapped file: nothing is read before the values are.
  ///
  /// The range must lie inside the file and start at a multiple of the element's size; whoever parsed the file checked that.
  package init(mapping file: MappedFile, byteOffset: Int, shape: Shape, dtype: DType) {
    let byteCount = shape.elementCount * dtype.byteCount
    require(
      byteOffset >= 0 && byteOffset % dtype.byteCount == 0 && byteOffset + byteCount <= file.count,
      "bytes \(byteOffset)..<\(byteOffset + byteCount) of a file of \(file.count)")
    self.init(
      shape: shape, dtype: dtype, storage: Storage(file: file, offset: byteOffset, byteCount: byteCount))
  }

  /// A tensor that has a shape but no values, for tracing.
  public static func abstract(_ spec: TensorSpec) -> Tensor {
    Tensor(shape: spec.shape, dtype: spec.dtype, storage: .abstract())
  }

  /// True for a tensor made by ``abstract(_:)`` or computed from one.
  public var isAbstract: Bool { storage.isAbstract }
}

// MARK: Reading values

extension Tensor {
  /// The elements as bytes in row-major order.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    let source = rowMajor()
    defer { withExtendedLifetime(source) {} }
    return try body(UnsafeRawBufferPointer(start: source.storage.pointer, count: byteCount))
  }

  /// Tells the system that values in a mapped file are not needed soon: it drops their pages and reads them again when they are.
  public func releasePages() { storage.releasePages() }

  /// The elements in row-major order. The type must be the tensor's own.
  public func withUnsafeValues<Scalar: TensorScalar, Result>(
    of type: Scalar.Type, _ body: (UnsafeBufferPointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    require(dtype == Scalar.dtype, "\(Scalar.dtype) values were asked for, the tensor holds \(dtype)")
    return try withUnsafeBytes { try body($0.bindMemory(to: Scalar.self)) }
  }

  /// The float32 elements in row-major order.
  public func withUnsafeValues<Result>(
    _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    try withUnsafeValues(of: Float.self, body)
  }

  /// The elements in row-major order.
  public func values<Scalar: TensorScalar>(of type: Scalar.Type = Float.self) -> [Scalar] {
    withUnsafeValues(of: type) { Array($0) }
  }

  /// The only element of a tensor that has one.
  public func item<Scalar: TensorScalar>(as type: Scalar.Type = Float.self) -> Scalar {
    require(count == 1, "item() needs one element, the tensor has shape \(shape.shapeText)")
    return withUnsafeValues(of: type) { $0[0] }
  }

  /// Changes the elements in place, row-major; copies first when anyone else can see them.
  ///
  /// For optimisers and running statistics. The tensor must not be tracked.
  public mutating func withUnsafeMutableValues<Scalar: TensorScalar, Result>(
    of type: Scalar.Type, _ body: (UnsafeMutableBufferPointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    require(dtype == Scalar.dtype, "\(Scalar.dtype) values were asked for, the tensor holds \(dtype)")
    makeUnique()
    storage.discardPackedCopies()
    let pointer = storage.pointer.bindMemory(to: Scalar.self, capacity: Swift.max(count, 1))
    return try body(UnsafeMutableBufferPointer(start: pointer, count: count))
  }

  /// As ``withUnsafeMutableValues(of:_:)`` for float32.
  public mutating func withUnsafeMutableValues<Result>(
    _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    try withUnsafeMutableValues(of: Float.self, body)
  }

  private mutating func makeUnique() {
    self = rowMajor().detached
    if isKnownUniquelyReferenced(&storage), storage.isWritable { return }
    let original = storage
    self = copied()
    // Pages of a file of weights would stay in memory besides the copy.
    original.releasePages()
  }

  /// The same values in memory of their own.
  func copied() -> Tensor {
    withUnsafeBytes { source in
      Tensor(shape: shape, dtype: dtype) { if source.count > 0 { $0.copyMemory(from: source) } }
    }
  }
}
