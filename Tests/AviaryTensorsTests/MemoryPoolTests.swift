import Foundation
import Testing

@testable import AviaryTensors

@Suite("Memory of large blocks")
struct MemoryPoolTests {
  private static let megabyte = 1 << 20

  @Test("freed neighbours become one block again, whatever the order")
  func neighbours() {
    var pool = MemoryPool()
    let blocks = (0..<4).map { _ in pool.take(2 * Self.megabyte) }
    #expect(pool.idleByteCount == 0)
    for index in [2, 0, 3, 1] { pool.giveBack(blocks[index], 2 * Self.megabyte) }
    #expect(pool.idleByteCount == 8 * Self.megabyte)
    #expect(pool.take(8 * Self.megabyte) == blocks[0])
    #expect(pool.idleByteCount == 0)
  }

  @Test("a block comes from the smallest gap that holds it; a larger one begins in a gap at the end")
  func choice() {
    var pool = MemoryPool()
    let sizes = [4, 1, 2, 1, 3].map { $0 * Self.megabyte }
    let blocks = sizes.map { pool.take($0) }
    for index in [0, 2, 4] { pool.giveBack(blocks[index], sizes[index]) }
    #expect(pool.take(2 * Self.megabyte) == blocks[2])
    #expect(pool.take(5 * Self.megabyte) == blocks[4])
    #expect(pool.idleByteCount == 4 * Self.megabyte)
  }

  #if compiler(>=6.2)
    @Test("a block larger than the machine's memory is refused, not promised")
    func tooLarge() async throws {
      let result = try await #require(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        var pool = MemoryPool()
        _ = pool.take(Int(ProcessInfo.processInfo.physicalMemory) + 1)
      }
      #expect(String(decoding: result.standardErrorContent, as: UTF8.self).contains("out of memory: "))
    }
  #endif

  @Test("trimmed memory is given back and comes again")
  func trim() {
    var pool = MemoryPool()
    let (first, second) = (pool.take(3 * Self.megabyte), pool.take(Self.megabyte))
    memset(first, 1, 3 * Self.megabyte)
    memset(second, 2, Self.megabyte)
    pool.giveBack(first, 3 * Self.megabyte)
    pool.trim()
    #expect(pool.idleByteCount == 0)
    #expect(second.load(as: UInt8.self) == 2)
    #expect(pool.take(3 * Self.megabyte) == first)
    #if os(Linux)
      #expect(first.load(as: UInt8.self) == 0)
    #endif
  }

  @Test("blocks never overlap, and all memory comes back")
  func randomOrder() {
    var pool = MemoryPool()
    var random = SystemRandomNumberGenerator()
    var held: [(pointer: UnsafeMutableRawPointer, size: Int, mark: UInt64)] = []
    func write(_ block: (pointer: UnsafeMutableRawPointer, size: Int, mark: UInt64)) {
      block.pointer.storeBytes(of: block.mark, as: UInt64.self)
      (block.pointer + block.size - 8).storeBytes(of: block.mark, as: UInt64.self)
    }
    for mark in 0..<2000 as Range<UInt64> {
      if held.count > 30 || (!held.isEmpty && Bool.random(using: &random)) {
        let block = held.remove(at: Int.random(in: held.indices, using: &random))
        #expect(block.pointer.load(as: UInt64.self) == block.mark)
        #expect((block.pointer + block.size - 8).load(as: UInt64.self) == block.mark)
        pool.giveBack(block.pointer, block.size)
      } else {
        let size = 8 * Int.random(in: 1...500_000, using: &random)
        held.append((pool.take(size), size, mark))
        write(held.last!)
      }
    }
    let most = pool.idleByteCount + held.reduce(0) { $0 + MemoryPool.capacity($1.size) }
    for block in held { pool.giveBack(block.pointer, block.size) }
    #expect(pool.idleByteCount == most)
    let whole = pool.take(most)
    #expect(pool.idleByteCount == 0)
    pool.giveBack(whole, most)
  }
}
