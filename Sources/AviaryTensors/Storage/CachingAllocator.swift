import Foundation
import Synchronization

/// Memory for tensors that is kept for reuse: small blocks in size classes, large ones in a pool.
///
/// Activations of one network have the same sizes run after run, so a freed block is nearly always
/// asked for again; returning it to the system instead would cost a page fault per 4 KiB each time.
package enum CachingAllocator {
  /// How much memory tensors use, in bytes.
  package struct Statistics: Sendable, Equatable {
    /// Held by living tensors now.
    package var inUse = 0
    /// The largest `inUse` since the last ``CachingAllocator/resetPeak()``.
    package var peak = 0
    /// Freed and kept for reuse.
    package var cached = 0
  }

  private struct State {
    var small: [Int: [Unchecked<UnsafeMutableRawPointer>]] = [:]
    var large = MemoryPool()
    var inUse = 0
    var peak = 0
    var cachedInSmall = 0
  }

  private static let state = Mutex(State())
  static let alignment = 64

  /// The state of all tensors' memory at this moment.
  package static var statistics: Statistics {
    state.withLock {
      Statistics(inUse: $0.inUse, peak: $0.peak, cached: $0.cachedInSmall + $0.large.idleByteCount)
    }
  }

  /// Starts a new measurement of the peak at what is in use now.
  package static func resetPeak() { state.withLock { $0.peak = $0.inUse } }

  /// Gives all cached blocks back to the system.
  package static func trim() {
    let blocks = state.withLock { state in
      let blocks = state.small.values.flatMap { $0 }
      state.small.removeAll()
      state.cachedInSmall = 0
      state.large.trim()
      return blocks
    }
    for block in blocks { free(block.value) }
  }

  /// What a block of `byteCount` bytes takes. Small ones have eight classes per power of two: at most an eighth is wasted.
  private static func capacity(_ byteCount: Int) -> Int {
    guard byteCount < MemoryPool.smallestBlock else { return MemoryPool.capacity(byteCount) }
    let wanted = max(byteCount, alignment)
    let step = max(alignment, 1 << max(0, Int.bitWidth - wanted.leadingZeroBitCount - 4))
    return (wanted + step - 1) / step * step
  }

  /// A block of at least `byteCount` bytes, not initialised.
  static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let size = capacity(byteCount)
    let block = state.withLock { state -> Unchecked<UnsafeMutableRawPointer>? in
      state.inUse += size
      state.peak = max(state.peak, state.inUse)
      if byteCount >= MemoryPool.smallestBlock { return Unchecked(state.large.take(byteCount)) }
      let reused = state.small[size]?.popLast()
      if reused != nil { state.cachedInSmall -= size }
      return reused
    }
    if let block { return block.value }
    var pointer: UnsafeMutableRawPointer?
    let status = posix_memalign(&pointer, alignment, size)
    guard status == 0, let pointer else {
      requirementFailure("out of memory: \(size) bytes were asked for")
    }
    return pointer
  }

  /// Takes back what ``allocate(_:)`` returned for so many bytes.
  static func release(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
    let block = Unchecked(pointer)
    let size = capacity(byteCount)
    state.withLock { state in
      state.inUse -= size
      if byteCount >= MemoryPool.smallestBlock { return state.large.giveBack(block.value, byteCount) }
      state.cachedInSmall += size
      state.small[size, default: []].append(block)
    }
  }

  /// Memory that a kernel needs while it runs and nobody reads afterwards: lent for the time of `body`.
  static func withScratch<Result>(_ byteCount: Int, _ body: (UnsafeMutableRawPointer) -> Result) -> Result {
    let block = allocate(byteCount)
    defer { release(block, byteCount) }
    return body(block)
  }
}
