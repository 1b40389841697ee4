import Foundation
import Synchronization

/// Memory for tensors: 64-byte aligned blocks in size classes that are kept for reuse.
///
/// Activations of one network have the same sizes run after run, so a freed block is nearly always
/// asked for again; returning it to the system instead would cost a page fault per 4 KiB each time.
public enum CachingAllocator {
  /// How much memory tensors use, in bytes.
  public struct Statistics: Sendable, Equatable {
    /// Held by living tensors now.
    public var inUse = 0
    /// The largest `inUse` since the last ``CachingAllocator/resetPeak()``.
    public var peak = 0
    /// Freed and kept for reuse.
    public var cached = 0
  }

  private struct State {
    var free: [Int: [Unchecked<UnsafeMutableRawPointer>]] = [:]
    var statistics = Statistics()

    /// The class a block of `size` bytes can be taken from: its own, or for large ones the next with a block of up to twice the size, so
    /// that blocks of every size ever used do not pile up.
    func freeClass(for size: Int) -> Int? {
      if free[size]?.isEmpty == false { return size }
      guard size >= hugePage else { return nil }
      return free.lazy.filter { $0.key > size && $0.key <= 2 * size && !$0.value.isEmpty }.map(\.key).min()
    }
  }

  private static let state = Mutex(State())
  static let alignment = 64
  private static let hugePage = 2 << 20

  public static var statistics: Statistics { state.withLock { $0.statistics } }

  /// Starts a new measurement of the peak at what is in use now.
  public static func resetPeak() { state.withLock { $0.statistics.peak = $0.statistics.inUse } }

  /// Gives all cached blocks back to the system.
  public static func trim() {
    let blocks = state.withLock { state in
      let blocks = state.free.values.flatMap { $0 }
      state.free.removeAll()
      state.statistics.cached = 0
      return blocks
    }
    for block in blocks { giveBack(block.value) }
    ScratchMemory.trim()
  }

  /// Eight classes per power of two: at most an eighth of a block is wasted.
  static func sizeClass(of byteCount: Int) -> Int {
    let wanted = max(byteCount, alignment)
    let step = max(alignment, 1 << max(0, Int.bitWidth - wanted.leadingZeroBitCount - 4))
    return (wanted + step - 1) / step * step
  }

  /// A block of at least `byteCount` bytes, not initialised, and how many it has.
  static func allocate(_ byteCount: Int) -> (pointer: UnsafeMutableRawPointer, capacity: Int) {
    let size = sizeClass(of: byteCount)
    let reused = state.withLock { state -> (block: Unchecked<UnsafeMutableRawPointer>, capacity: Int)? in
      let capacity = state.freeClass(for: size)
      let block = capacity.flatMap { state.free[$0]?.popLast() }
      let taken = block == nil ? size : capacity!
      state.statistics.inUse += taken
      state.statistics.peak = max(state.statistics.peak, state.statistics.inUse)
      if block != nil { state.statistics.cached -= taken }
      return block.map { ($0, taken) }
    }
    if let reused { return (reused.block.value, reused.capacity) }
    return (fresh(size), size)
  }

  /// A new block from the system.
  static func fresh(_ size: Int) -> UnsafeMutableRawPointer {
    var pointer: UnsafeMutableRawPointer?
    let isHuge = size >= hugePage
    let status = posix_memalign(&pointer, isHuge ? hugePage : alignment, size)
    guard status == 0, let pointer else {
      preconditionFailure("out of memory: \(size) bytes were asked for")
    }
    #if os(Linux)
      if isHuge { madvise(pointer, size, MADV_HUGEPAGE) }
    #endif
    return pointer
  }

  /// Returns a block of ``fresh(_:)`` to the system.
  static func giveBack(_ pointer: UnsafeMutableRawPointer) { free(pointer) }

  static func release(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
    let block = Unchecked(pointer)
    state.withLock { state in
      state.statistics.inUse -= capacity
      state.statistics.cached += capacity
      state.free[capacity, default: []].append(block)
    }
  }
}
