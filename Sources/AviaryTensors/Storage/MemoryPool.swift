import Foundation

/// Large blocks, cut out of one long stretch of addresses.
///
/// Freed neighbours become one gap again: what a network's many activations leave serves a kernel's large scratch memory, and the
/// other way round, where a list of blocks by size would keep both (a training step of ResNet-18 takes 638 MB instead of 779). Blocks lie
/// close together in the system's huge pages, which the processor finds faster.
struct MemoryPool {
  /// A stretch that nobody uses.
  private struct Gap {
    var start: Int
    var end: Int
    /// From `start` to here the system has given memory for it; the rest are addresses only.
    var backedEnd: Int

    var byteCount: Int { end - start }
    var backedByteCount: Int { backedEnd - start }
  }

  /// By address, and never two that touch.
  private var gaps: [Gap] = []

  /// The smallest block that belongs here.
  static let smallestBlock = 1 << 14
  private static let hugePage = 2 << 20

  /// Memory of the system that nobody uses.
  var idleByteCount: Int { gaps.reduce(0) { $0 + $1.backedByteCount } }

  /// What a block of `byteCount` bytes takes. Blocks begin at multiples of a cache line: at multiples of a page, all would fall on the same
  /// lines of the caches (EfficientNet-B0 would take 3 % longer).
  static func capacity(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }

  /// A block, not initialised. Takes the gap that needs the least new memory, and of those the smallest.
  mutating func take(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let size = Self.capacity(byteCount)
    var best: (index: Int, cost: (Int, Int))?
    for (index, gap) in gaps.enumerated() where gap.byteCount >= size {
      let cost = (max(0, size - gap.backedByteCount), gap.backedByteCount)
      if best.map({ cost < $0.cost }) ?? true { best = (index, cost) }
    }
    guard let index = best?.index else {
      reserve(size)
      return take(size)
    }
    let start = gaps[index].start
    gaps[index].start += size
    gaps[index].backedEnd = max(gaps[index].backedEnd, gaps[index].start)
    if gaps[index].byteCount == 0 { gaps.remove(at: index) }
    return UnsafeMutableRawPointer(bitPattern: start)!
  }

  /// Takes a block back.
  mutating func giveBack(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
    let start = Int(bitPattern: pointer)
    let end = start + Self.capacity(byteCount)
    insert(Gap(start: start, end: end, backedEnd: end))
  }

  /// Returns what nobody uses to the system, and keeps the addresses.
  mutating func trim() {
    #if os(Linux)
      let page = Int(getpagesize())
      for index in gaps.indices {
        let start = (gaps[index].start + page - 1) / page * page
        let end = gaps[index].backedEnd / page * page
        guard end > start, let pointer = UnsafeMutableRawPointer(bitPattern: start) else { continue }
        madvise(pointer, end - start, MADV_DONTNEED)
        gaps[index].backedEnd = gaps[index].start
      }
    #endif
  }

  private mutating func insert(_ gap: Gap) {
    var gap = gap
    var index = gaps.partitioningIndex { $0.start > gap.start }
    if index < gaps.count, gaps[index].start == gap.end {
      let next = gaps.remove(at: index)
      gap.end = next.end
      if next.backedByteCount > 0 { gap.backedEnd = next.backedEnd }
    }
    if index > 0, gaps[index - 1].end == gap.start {
      index -= 1
      let before = gaps.remove(at: index)
      gap.start = before.start
      if gap.backedEnd <= before.end { gap.backedEnd = before.backedEnd }
    }
    gaps.insert(gap, at: index)
  }

  /// Adds addresses: as many as there is memory; where the system lets a process have fewer, no more than are needed for the next blocks,
  /// for others live on the same allowance.
  private mutating func reserve(_ byteCount: Int) {
    let memory = Int(ProcessInfo.processInfo.physicalMemory)
    // The system would promise more than there is, and end the program, or another, when it is written to.
    require(byteCount <= memory, "out of memory: \(byteCount) bytes were asked for")
    for wanted in [memory, max(byteCount, 64 << 20), byteCount] {
      let size = (wanted + Self.hugePage - 1) / Self.hugePage * Self.hugePage + Self.hugePage
      let flags = MAP_PRIVATE | Self.anonymous
      guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else {
        continue
      }
      let start = (Int(bitPattern: base) + Self.hugePage - 1) / Self.hugePage * Self.hugePage
      let end = Int(bitPattern: base) + size
      #if os(Linux)
        madvise(UnsafeMutableRawPointer(bitPattern: start), end - start, MADV_HUGEPAGE)
      #endif
      return insert(Gap(start: start, end: end, backedEnd: start))
    }
    requirementFailure("out of memory: \(byteCount) bytes were asked for")
  }

  #if os(Linux)
    /// Addresses alone take no memory, whatever the system's limit for promised memory.
    private static let anonymous = MAP_ANONYMOUS | MAP_NORESERVE
  #else
    private static let anonymous = MAP_ANON
  #endif
}

extension Array {
  /// The first index whose element satisfies `isSecond`, in an array whose elements that do come last.
  fileprivate func partitioningIndex(where isSecond: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isSecond(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
