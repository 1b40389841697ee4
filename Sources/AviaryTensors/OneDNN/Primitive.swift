import COneDNN
import CThreads
import Synchronization

/// A compiled oneDNN kernel for one combination of attributes and layouts.
final class Primitive: Sendable {
  private let handle: Unchecked<dnnl_primitive_t>
  private let primitiveDescriptor: Unchecked<const_dnnl_primitive_desc_t>
  /// The name of the implementation, such as `jit:avx512_core`; `ref:any` is the slow fallback.
  let implementation: String
  /// Memory the kernel needs while it runs; of rank 0 when it needs none.
  let scratchpad: MemoryDescriptor
  /// As many parts as its work has at most, which it was made for.
  private let parts: Int

  /// What a query of the descriptor is about.
  enum Operand {
    case source(Int)
    case weights(Int)
    case destination(Int)
    case differentialSource(Int)
    case differentialWeights(Int)
    case differentialDestination(Int)
    case workspace
  }

  /// Consumes `description`, a primitive descriptor; to be called inside of ``withAttributes(_:parts:_:)``.
  init(consuming description: dnnl_primitive_desc_t) {
    var handle: dnnl_primitive_t?
    OneDNN.check(dnnl_primitive_create(&handle, description), "a primitive")
    dnnl_primitive_desc_destroy(description)
    self.handle = Unchecked(handle!)
    var own: const_dnnl_primitive_desc_t?
    OneDNN.check(dnnl_primitive_get_primitive_desc(handle, &own), "a primitive's descriptor")
    primitiveDescriptor = Unchecked(own!)
    implementation = Self.name(of: own)
    parts = Int(ThreadPlace.current.pointee.kernel_parts)
    scratchpad = MemoryDescriptor(dnnl_primitive_desc_query_md(own, dnnl_query_scratchpad_md, 0).pointee)
  }

  deinit { dnnl_primitive_destroy(handle.value) }

  /// For backward primitives, which oneDNN makes from a forward one.
  var hint: const_dnnl_primitive_desc_t { primitiveDescriptor.value }

  func descriptor(_ operand: Operand) -> MemoryDescriptor {
    let (query, index): (dnnl_query_t, Int) =
      switch operand {
      case .source(let index): (dnnl_query_src_md, index)
      case .weights(let index): (dnnl_query_weights_md, index)
      case .destination(let index): (dnnl_query_dst_md, index)
      case .differentialSource(let index): (dnnl_query_diff_src_md, index)
      case .differentialWeights(let index): (dnnl_query_diff_weights_md, index)
      case .differentialDestination(let index): (dnnl_query_diff_dst_md, index)
      case .workspace: (dnnl_query_workspace_md, 0)
      }
    return MemoryDescriptor(
      dnnl_primitive_desc_query_md(primitiveDescriptor.value, query, Int32(index)).pointee)
  }

  /// One operand of a run: which, how it lies, and where.
  struct Argument {
    let index: Int32
    let descriptor: MemoryDescriptor
    let pointer: UnsafeMutableRawPointer
    /// Keeps the bytes alive until the run is over: often nobody else holds a reordered copy.
    private let storage: Storage?

    init(_ index: Int32, _ descriptor: MemoryDescriptor, _ pointer: UnsafeMutableRawPointer) {
      self.index = index
      self.descriptor = descriptor
      self.pointer = pointer
      storage = nil
    }

    /// Bytes of a tensor in a layout that only the primitive understands.
    init(_ index: Int32, _ descriptor: MemoryDescriptor, _ tensor: Tensor) {
      self.index = index
      self.descriptor = descriptor
      pointer = tensor.pointer
      storage = tensor.storage
    }

    init(_ index: Int32, _ tensor: Tensor) {
      self.index = index
      descriptor = tensor.descriptor
      pointer = tensor.pointer
      storage = tensor.storage
    }
  }

  /// Runs the kernel on operands that are ready, scratch memory included.
  func execute(prepared arguments: [dnnl_exec_arg_t]) {
    OpenMP.withParts(parts) {
      OneDNN.check(
        dnnl_primitive_execute(handle.value, OneDNN.stream.value, Int32(arguments.count), arguments),
        "a run of \(implementation)")
      OneDNN.check(dnnl_stream_wait(OneDNN.stream.value), "a run of \(implementation)")
    }
  }

  /// Runs the kernel on the calling thread and its team, and waits.
  func execute(_ arguments: [Argument]) {
    guard scratchpad.raw.ndims > 0 else { return run(arguments) }
    CachingAllocator.withScratch(scratchpad.byteCount) { scratch in
      run(arguments + [Argument(DNNL_ARG_SCRATCHPAD, scratchpad, scratch)])
    }
  }

  private func run(_ arguments: [Argument]) {
    var prepared: [dnnl_exec_arg_t] = []
    prepared.reserveCapacity(arguments.count)
    for argument in arguments {
      var memory: dnnl_memory_t?
      var raw = argument.descriptor.raw
      OneDNN.check(
        dnnl_memory_create(&memory, &raw, OneDNN.engine.value, argument.pointer), "an operand")
      prepared.append(dnnl_exec_arg_t(arg: argument.index, memory: memory))
    }
    execute(prepared: prepared)
    for argument in prepared { dnnl_memory_destroy(argument.memory) }
    withExtendedLifetime(arguments) {}
  }
}

extension Primitive {
  /// A primitive from an operation descriptor, or nil when oneDNN has no implementation for it.
  ///
  /// - Parameters:
  ///   - implementation: part of the name that the implementation must have; by default the first that oneDNN offers is taken.
  ///   - isDivisible: whether the work may have more parts than there are threads, in implementations that let it.
  static func make<Description>(
    _ description: Description, hint: const_dnnl_primitive_desc_t? = nil,
    finishing operations: [PostOperation] = [], implementation: String? = nil, isDivisible: Bool = false
  ) -> Primitive? {
    func made(_ parts: Int) -> Primitive? {
      make(description, hint, operations, implementation, parts)
    }
    let team = ThreadTeam.shared
    guard isDivisible, team.threadCount > 1 else { return made(team.threadCount) }
    let divided = made(team.partCount)
    return divided?.mayBeDivided ?? true ? divided : made(team.threadCount)
  }

  /// Whether the parts of a forward kernel's work never wait for each other. Those of matrix products by `gemm` may.
  private var mayBeDivided: Bool {
    implementation.hasPrefix("jit") || implementation.hasPrefix("brg")
  }

  private static func make<Description>(
    _ description: Description, _ hint: const_dnnl_primitive_desc_t?, _ operations: [PostOperation],
    _ implementation: String?, _ parts: Int
  ) -> Primitive? {
    withAttributes(operations, parts: parts) { attributes in
      // The iterator reads the description again for each implementation.
      withUnsafePointer(to: description) { description in
        var iterator: dnnl_primitive_desc_iterator_t?
        guard
          dnnl_primitive_desc_iterator_create(
            &iterator, description, attributes, OneDNN.engine.value, hint) == dnnl_success
        else { return nil }
        defer { dnnl_primitive_desc_iterator_destroy(iterator) }
        repeat {
          guard let found = dnnl_primitive_desc_iterator_fetch(iterator) else { return nil }
          if implementation.map({ name(of: found).contains($0) }) ?? true {
            return Primitive(consuming: found)
          }
          dnnl_primitive_desc_destroy(found)
        } while dnnl_primitive_desc_iterator_next(iterator) == dnnl_success
        return nil
      }
    }
  }

  static func name(of description: const_dnnl_primitive_desc_t?) -> String {
    var name: UnsafePointer<CChar>?
    dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name)
    return name.map { String(cString: $0) } ?? "unknown"
  }
}

/// Primitives by what they compute: making one takes up to a millisecond, finding one a microsecond.
enum PrimitiveCache {
  /// What distinguishes one primitive from another.
  struct Key: Hashable, Sendable {
    let operation: any Hashable & Sendable
    let role: String
    let descriptors: [MemoryDescriptor]

    static func == (a: Key, b: Key) -> Bool {
      a.role == b.role && a.descriptors == b.descriptors
        && AnyHashable(a.operation) == AnyHashable(b.operation)
    }

    func hash(into hasher: inout Hasher) {
      hasher.combine(role)
      hasher.combine(descriptors)
      hasher.combine(AnyHashable(operation))
    }
  }

  private static let primitives = Mutex<[Key: Primitive]>([:])

  /// Shapes that vary without end (texts of every length) must not grow the cache without end.
  private static let capacity = 4096

  static func primitive(_ key: Key, make: () -> Primitive) -> Primitive {
    availablePrimitive(key, make: make)!
  }

  /// As above, for primitives that oneDNN may not have; it is asked again each time then.
  static func availablePrimitive(_ key: Key, make: () -> Primitive?) -> Primitive? {
    if let found = primitives.withLock({ $0[key] }) { return found }
    guard let made = make() else { return nil }
    primitives.withLock {
      if $0.count >= capacity { $0.removeAll(keepingCapacity: true) }
      $0[key] = made
    }
    return made
  }

  /// The implementations in use, by role: what the tests read to see that nothing falls to `ref`.
  static var implementations: [(role: String, implementation: String)] {
    primitives.withLock { $0.map { ($0.key.role, $0.value.implementation) } }
  }

  static func removeAll() { primitives.withLock { $0.removeAll() } }
}
