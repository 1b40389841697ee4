import Synchronization

/// The bytes of one or several tensors, and copies of them in the layouts that primitives asked for.
final class Storage: Sendable {
  private enum Owner: Sendable {
    /// A block of the allocator.
    case allocator
    case file(MappedFile)
    /// A part of another storage, such as a plan's arena.
    case part(of: Storage)
    /// Shape tracing: there are no bytes at all.
    case none
  }

  private let owner: Owner
  private let base: Unchecked<UnsafeMutableRawPointer?>
  let byteCount: Int

  /// A weight in the layout a primitive wants, kept as long as the weight itself: the next run need not reorder.
  /// Storage never changes while it is shared, so a copy can never be stale; see ``discardPackedCopies()``.
  private let packedCopies = Mutex<[PackingKey: Tensor]>([:])

  struct PackingKey: Hashable, Sendable {
    let source: MemoryDescriptor
    /// Where the weight begins: several weights may be views of one storage.
    let offset: Int
    let target: MemoryDescriptor
  }

  /// Uninitialised memory.
  init(byteCount: Int) {
    owner = .allocator
    self.byteCount = byteCount
    base = Unchecked(CachingAllocator.allocate(byteCount))
  }

  /// Part of a mapped file. The bytes must never be written: the tensor copies before it changes them.
  init(file: MappedFile, offset: Int, byteCount: Int) {
    owner = .file(file)
    self.byteCount = byteCount
    base = Unchecked(UnsafeMutableRawPointer(mutating: file.pointer(at: offset)))
  }

  /// Bytes of another storage, which lives as long as this.
  init(partOf storage: Storage, offset: Int, byteCount: Int) {
    owner = .part(of: storage)
    self.byteCount = byteCount
    base = Unchecked(storage.pointer + offset)
  }

  private init() {
    owner = .none
    byteCount = 0
    base = Unchecked(nil)
  }

  /// The storage of tensors that have a shape but no values.
  static func abstract() -> Storage { Storage() }

  deinit {
    if case .allocator = owner, let pointer = base.value {
      CachingAllocator.release(pointer, byteCount)
    }
  }

  var isAbstract: Bool { base.value == nil }
  var isWritable: Bool { if case .allocator = owner { true } else { false } }

  var pointer: UnsafeMutableRawPointer {
    guard let pointer = base.value else {
      requirementFailure("the values of a tensor were read while only shapes are traced")
    }
    return pointer
  }

  func packedCopy(_ key: PackingKey, make: () -> Tensor) -> Tensor {
    // What lies in a plan's arena is another value in the next run.
    if case .part = owner { return make() }
    if let copy = packedCopies.withLock({ $0[key] }) { return copy }
    let copy = make()
    packedCopies.withLock { $0[key] = copy }
    return copy
  }

  /// Tells the system that bytes of a mapped file are not needed soon: it may drop their pages and read them again later.
  func releasePages() {
    if case .file(let file) = owner, let base = base.value { file.releasePages(from: base, count: byteCount) }
  }

  /// To be called before the bytes are changed in place.
  func discardPackedCopies() { packedCopies.withLock { $0.removeAll() } }
}
