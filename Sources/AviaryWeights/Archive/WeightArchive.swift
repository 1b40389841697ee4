import AviaryTensors

/// Named tensors in the order of their file, and what the file says about them.
///
/// Readers return an archive and writers take one. Tensors of mapped files are not read before their values are, and tensors that need
/// work (a conversion, a transpose, a strided view) are computed whenever they are asked for and not kept: whoever takes one after
/// another needs memory for one, and writers, which take pieces, for less than two whatever happens on the way.
public struct WeightArchive: Sendable {
  /// A tensor, or how to compute it.
  private enum Source: Sendable {
    case ready(Tensor)
    case computed(TensorSpec, @Sendable () -> Tensor)
    indirect case moved(Source, AxisMove)

    var spec: TensorSpec {
      switch self {
      case .ready(let tensor): tensor.spec
      case .computed(let spec, _): spec
      case .moved(let source, let move): TensorSpec(move.merged, source.spec.dtype)
      }
    }

    var tensor: Tensor {
      let elements = elements
      let tensor = elements.reshaped(spec.shape)
      // What was copied needs the file no more.
      if tensor.identity != elements.identity { elements.releasePages() }
      return tensor
    }

    /// The elements before they were moved, in whatever order.
    var unmoved: Tensor {
      switch self {
      case .ready, .computed: elements
      case .moved(let source, _): source.unmoved
      }
    }

    /// The elements in row-major order, under a shape that may be finer than ``spec``'s: a view as long as it can be one, and nothing
    /// but the original after a move there and back.
    var elements: Tensor {
      switch self {
      case .ready(let tensor): return tensor
      case .computed(let spec, let compute):
        let tensor = compute()
        require(tensor.spec == spec, "a tensor of another shape or type than announced was computed")
        return tensor
      case .moved(let source, let move): return move.unmerged(source.elements)
      }
    }
  }

  /// The names, in order.
  public private(set) var names: [String] = []
  private var sources: [String: Source] = [:]
  /// Strings beside the tensors: the `__metadata__` of a safetensors file, the root attributes of an HDF5 file.
  public var metadata: [String: String] = [:]
  /// The description that Aviary's portable files carry.
  public var portable: PortableMetadata?
  /// Other models that the same file holds: the plain weights beside averaged ones.
  public var alternatives: [WeightArchive] = []
  /// The layers of a Keras file: their order and how each spells its weights.
  package var keras: KerasStructure?
  /// What a checkpoint that is a whole model calls its classes, in the order of the outputs.
  package var classNames: [String]?
  /// The header of a darknet file, whose only tensor holds all numbers in the order of a `.cfg`.
  package var darknet: DarknetHeader?

  /// An archive without tensors and metadata.
  public init() {}

  /// An archive of the given tensors; throws ``WeightsError`` when a name occurs twice.
  public init(_ entries: some Sequence<(name: String, tensor: Tensor)>) throws {
    for (name, tensor) in entries { try append(name, tensor) }
  }

  /// How many tensors there are, those of ``alternatives`` not counted.
  public var count: Int { names.count }
  /// Whether there is no tensor; there may be metadata all the same.
  public var isEmpty: Bool { names.isEmpty }

  /// Names and tensors in order. Each tensor is made when it is reached.
  public var entries: LazyMapCollection<[String], (name: String, tensor: Tensor)> {
    names.lazy.map { (name: $0, tensor: sources[$0]!.tensor) }
  }

  /// Names and shapes.
  public var shapes: [String: Shape] { sources.mapValues(\.spec.shape) }

  /// Bytes of all tensors.
  public var byteCount: Int {
    sources.values.reduce(0) { $0 + $1.spec.shape.elementCount * $1.spec.dtype.byteCount }
  }

  /// Shape and type of the tensor called `name`; computes nothing.
  public func spec(_ name: String) -> TensorSpec? { sources[name]?.spec }

  /// The tensor called `name`. A new name goes to the end; `nil` removes.
  public subscript(name: String) -> Tensor? {
    get { sources[name]?.tensor }
    set {
      if newValue == nil {
        names.removeAll { $0 == name }
      } else if sources[name] == nil {
        names.append(name)
      }
      sources[name] = newValue.map { .ready($0) }
    }
  }

  /// Adds a tensor; throws ``WeightsError`` when the name is taken.
  public mutating func append(_ name: String, _ tensor: Tensor) throws { try append(name, .ready(tensor)) }

  /// Adds a tensor that `compute` makes each time it is asked for; throws ``WeightsError`` when the name is taken.
  ///
  /// What can fail must have been checked: `compute` has to return a tensor of the shape and type of `spec`.
  public mutating func append(
    _ name: String, _ spec: TensorSpec, computedBy compute: @escaping @Sendable () -> Tensor
  ) throws {
    try append(name, .computed(spec, compute))
  }

  /// Adds the tensor that `read` takes out of something compressed: once to see that it is sound, and again each time it is asked for,
  /// since all of them together may not fit into memory. Throws what `read` throws, and ``WeightsError`` when the name is taken.
  mutating func append(_ name: String, rereading read: @escaping @Sendable () throws -> Tensor) throws {
    try append(name, try read().spec) {
      do {
        return try read()
      } catch {
        requirementFailure("what was sound cannot be read again: \(error)")
      }
    }
  }

  private mutating func append(_ name: String, _ source: Source) throws {
    guard sources[name] == nil else {
      throw WeightsError(.malformed, "two tensors are called \(name.quoted)")
    }
    names.append(name)
    sources[name] = source
  }
}

// MARK: One tensor after another

extension WeightArchive {
  /// Freed blocks of this size together are given back to the system between tensors.
  private static let keptBytes = 32 << 20

  /// The type that a tensor is stored in when floating-point tensors are stored as `floats`, or each as its own when that is nil.
  func storedType(_ name: String, floats: DType?) -> DType {
    let own = sources[name]!.spec.dtype
    return own.isFloatingPoint ? floats ?? own : own
  }

  /// Bytes of each tensor when floating-point tensors are stored as `floats`; at least as many as a format without bfloat16 needs.
  func storedSizes(floats: DType?) -> [Int] {
    names.map { name in
      let type = storedType(name, floats: floats)
      return sources[name]!.spec.shape.elementCount * (type == .bfloat16 ? .float32 : type).byteCount
    }
  }

  /// Elements that are moved or converted at a time.
  private static let pieceCount = 2 << 20

  /// Hands the row-major bytes of the tensor called `name`, as elements of `dtype` or its own type, to `body`, a piece after another, and
  /// lets go of them: memory is freed, pages of mapped files are dropped. For writers, which take one tensor after another.
  func forEachPiece(
    of name: String, as dtype: DType? = nil, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let source = sources[name]!
    defer { trimCache() }
    let elements = source.elements
    defer { elements.releasePages() }
    let dtype = dtype ?? elements.dtype
    // What lies as it is wanted is handed over as it lies.
    if case .ready = source, dtype == elements.dtype { return try elements.withUnsafeBytes(body) }
    var position = 0
    try elements.forEachPiece(limit: Self.pieceCount) { piece in
      let stored = piece.cast(to: dtype)
      if stored.dtype != piece.dtype, stored.dtype.isFloatingPoint, stored.hasNonFiniteValues {
        try checkRange(of: piece, storedAs: stored, name, from: position)
      }
      position += piece.count
      try stored.withUnsafeBytes(body)
    }
  }

  /// Throws ``WeightsError`` when a finite value becomes infinite in another type; `position` counts the elements before the piece.
  private func checkRange(
    of piece: Tensor, storedAs stored: Tensor, _ name: String, from position: Int
  ) throws {
    let (values, results) = (piece.cast(to: .float32).values(), stored.cast(to: .float32).values())
    guard let first = values.indices.first(where: { values[$0].isFinite && !results[$0].isFinite }) else {
      return
    }
    throw WeightsError(
      .nonFinite,
      "\(name.quoted): the value \(values[first]) at \(spec(name)!.shape.index(ofElement: position + first)) would become infinite as \(stored.dtype)"
    )
  }

  /// Gives freed blocks back to the system when there are many: whoever takes one tensor after another needs them no more.
  func trimCache() {
    if CachingAllocator.statistics.cached > Self.keptBytes { CachingAllocator.trim() }
  }

  /// The elements of the tensor called `name` as they were before any were moved.
  func unmoved(_ name: String) -> Tensor { sources[name]!.unmoved }
}

// MARK: Archives of other archives' tensors

extension WeightArchive {
  /// Adds the tensor that another archive calls `source`, with its elements moved when it is asked for.
  ///
  /// Throws ``WeightsError`` when the name is taken. The move must be for the tensor's shape.
  mutating func append(
    _ name: String, from other: WeightArchive, _ source: String, moving move: AxisMove? = nil
  ) throws {
    let original = other.sources[source]!
    try append(name, move.map { .moved(original, $0) } ?? original)
  }

  /// The same metadata with some of the tensors, under the given names. Throws ``WeightsError`` when a name occurs twice.
  ///
  /// The archive must have every source.
  public func selecting(_ names: some Sequence<(name: String, source: String)>) throws -> WeightArchive {
    var result = WeightArchive()
    for (name, source) in names { try result.append(name, from: self, source) }
    return result.describing(as: self)
  }

  /// The same tensors with another archive's metadata.
  func describing(as other: WeightArchive) -> WeightArchive {
    var result = self
    result.metadata = other.metadata
    result.portable = other.portable
    result.keras = other.keras
    result.darknet = other.darknet
    result.classNames = other.classNames
    return result
  }

  /// Adds those tensors of `other` whose names are not taken.
  public mutating func add(missingFrom other: WeightArchive) {
    for name in other.names where sources[name] == nil {
      names.append(name)
      sources[name] = other.sources[name]
    }
  }
}
