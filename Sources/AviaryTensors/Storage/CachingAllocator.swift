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
    for block in blocks { free(block.value) }
  }

  /// Eight classes per power of two: at most an eighth of a block is wasted.
  static func sizeClass(of byteCount: Int) -> Int {
    let wanted = max(byteCount, alignment)
    let step = max(alignment, 1 << max(0, Int.bitWidth - wanted.leadingZeroBitCount - 4))
    return (wanted + step - 1) / step * step
  }

  /// A block of at least `byteCount` bytes, not initialised.
  static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let size = sizeClass(of: byteCount)
    let reused = state.withLock { state in
      state.statistics.inUse += size
      state.statistics.peak = max(state.statistics.peak, state.statistics.inUse)
      let block = state.free[size]?.popLast()
      if block != nil { state.statistics.cached -= size }
      return block
    }
    if let reused { return reused.value }
    var pointer: UnsafeMutableRawPointer?
    let isHuge = size >= hugePage
    let status = posix_memalign(&pointer, isHuge ? hugePage : alignment, size)
    guard status == 0, let pointer else {
      preconditionFailure("out of memory: a tensor of \(byteCount) bytes was asked for")
    }
    #if os(Linux)
      if isHuge { madvise(pointer, size, MADV_HUGEPAGE) }
    #endif
    return pointer
  }

  static func release(_ pointer: UnsafeMutableRawPointer, byteCount: Int) {
    let size = sizeClass(of: byteCount)
    let block = Unchecked(pointer)
    state.withLock { state in
      state.statistics.inUse -= size
      state.statistics.cached += size
      state.free[size, default: []].append(block)
    }
  }
}
