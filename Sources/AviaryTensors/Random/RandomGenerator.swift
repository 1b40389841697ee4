import Synchronization

/// A stream of random numbers that depends on its seed alone: Philox 4×32-10 (Salmon et al. 2011, "Parallel Random Numbers:
/// As Easy as 1, 2, 3").
///
/// The generator maps a counter to four words, so any part of a stream can be computed by any thread.
public final class RandomGenerator: Sendable {
  private let key: UInt64
  private let position: Mutex<UInt64>

  /// The stream of this seed, from its beginning.
  public convenience init(seed: UInt64) { self.init(key: seed, position: 0) }

  private init(key: UInt64, position: UInt64) {
    self.key = key
    self.position = Mutex(position)
  }

  /// Where no seed was set: seeded from the system's entropy.
  public static let system = RandomGenerator(seed: .random(in: 0...UInt64.max))

  /// What ``withRandomSeed(_:_:)`` set for this scope.
  public static var current: RandomGenerator { ExecutionScope.current.generator }

  /// A copy that will give the numbers this one gives from here on.
  func snapshot() -> RandomGenerator { RandomGenerator(key: key, position: position.withLock { $0 }) }

  /// A generator whose stream is independent of this one's.
  public func split() -> RandomGenerator {
    let block = reserve(1)
    let words = Philox.words(counter: block, key: key ^ 0x9E37_79B9_7F4A_7C15)
    return RandomGenerator(seed: UInt64(words.x) << 32 | UInt64(words.y))
  }

  /// Takes `blocks` counters of four words each out of the stream.
  func reserve(_ blocks: Int) -> UInt64 {
    position.withLock { position in
      defer { position &+= UInt64(blocks) }
      return position
    }
  }

  /// The four words at a counter.
  func words(at counter: UInt64) -> SIMD4<UInt32> { Philox.words(counter: counter, key: key) }

  /// Calls `body(index, words)` for `blocks` consecutive counters, in parallel.
  func forEachBlock(_ blocks: Int, _ body: (Int, SIMD4<UInt32>) -> Void) {
    let start = reserve(blocks)
    let key = key
    Parallel.forEachRange(blocks, grain: 4096) { range in
      for index in range { body(index, Philox.words(counter: start &+ UInt64(index), key: key)) }
    }
  }
}

/// The bijection at the heart of the generator.
enum Philox {
  @inline(__always)
  static func words(counter: UInt64, key: UInt64) -> SIMD4<UInt32> {
    var x = SIMD4<UInt32>(
      UInt32(truncatingIfNeeded: counter), UInt32(truncatingIfNeeded: counter >> 32), 0, 0)
    var k0 = UInt32(truncatingIfNeeded: key)
    var k1 = UInt32(truncatingIfNeeded: key >> 32)
    for _ in 0..<10 {
      let p0 = UInt64(0xD251_1F53) &* UInt64(x[0])
      let p1 = UInt64(0xCD9E_8D57) &* UInt64(x[2])
      x = SIMD4(
        UInt32(truncatingIfNeeded: p1 >> 32) ^ x[1] ^ k0, UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ x[3] ^ k1, UInt32(truncatingIfNeeded: p0))
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return x
  }
}
