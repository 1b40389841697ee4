import Foundation
import Synchronization

/// Memory that kernels need while they run and nobody reads afterwards: one block per running kernel, grown to the largest that
/// was ever asked for. Winograd transforms of large pictures want hundreds of megabytes, of another size in every layer.
enum ScratchMemory {
  private struct Block {
    let pointer: Unchecked<UnsafeMutableRawPointer>
    let byteCount: Int
  }

  private static let idle = Mutex<[Block]>([])

  /// Lends at least `byteCount` bytes for the time of `body`.
  static func withBytes<Result>(_ byteCount: Int, _ body: (UnsafeMutableRawPointer) -> Result) -> Result {
    let block = take(byteCount)
    defer { idle.withLock { $0.append(block) } }
    return body(block.pointer.value)
  }

  private static func take(_ byteCount: Int) -> Block {
    if let block = idle.withLock({ $0.popLast() }) {
      if block.byteCount >= byteCount { return block }
      CachingAllocator.giveBack(block.pointer.value)
    }
    return Block(pointer: Unchecked(CachingAllocator.fresh(byteCount)), byteCount: byteCount)
  }

  /// Gives idle blocks back to the system.
  static func trim() {
    let blocks = idle.withLock { blocks in
      defer { blocks.removeAll() }
      return blocks
    }
    for block in blocks { CachingAllocator.giveBack(block.pointer.value) }
  }
}
