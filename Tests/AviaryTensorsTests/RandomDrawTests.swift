import AviaryTensors
import Foundation
import Synchronization
import Testing

@Suite("Random numbers one at a time, and loops on one thread")
struct RandomDrawTests {
  @Test("a path of numbers has its own stream, whoever asks and when")
  func paths() {
    func draws(_ generator: RandomGenerator) -> [Float] { (0..<4).map { _ in generator.uniform() } }
    let one = draws(RandomGenerator(seed: 1, path: 2, 3))
    #expect(draws(RandomGenerator(seed: 1, path: 2, 3)) == one)
    let others = [
      RandomGenerator(seed: 1, path: 3, 2), RandomGenerator(seed: 1, path: 2),
      RandomGenerator(seed: 2, path: 2, 3),
      RandomGenerator(seed: 1, path: 2, 3, 0), RandomGenerator(seed: 1),
    ]
    #expect(Set(others.map(draws) + [one]).count == 6)
  }

  @Test("numbers lie in their ranges, all about as often")
  func ranges() {
    let generator = RandomGenerator(seed: 3)
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<7000 { counts[generator.integer(in: -3..<4) + 3] += 1 }
    #expect(counts.allSatisfy { abs($0 - 1000) < 150 }, "\(counts)")
    let draws = (0..<4000).map { _ in generator.uniform(in: 2..<4) }
    #expect(draws.allSatisfy { (2..<4).contains($0) } && abs(draws.reduce(0, +) / 4000 - 3) < 0.05)
    #expect(generator.uniform(in: 2..<2) == 2)
    #expect((0..<1000).count { _ in generator.chance(0.25) } < 320)
    #expect(!generator.chance(0))
    var bytes = [Int](repeating: 0, count: 256)
    for byte in generator.bytes(25_601) { bytes[Int(byte)] += 1 }
    #expect(bytes.allSatisfy { (50...160).contains($0) })
  }

  @Test("helpers keep their loops to themselves")
  func helpers() {
    let ranges = Mutex<[Range<Int>]>([])
    let done = NSCondition()
    done.lock()
    Parallel.startHelper("helper") {
      Parallel.forEachRange(1000) { range in ranges.withLock { $0.append(range) } }
      done.lock()
      done.signal()
      done.unlock()
    }
    done.wait()
    done.unlock()
    #expect(ranges.withLock { $0 } == [0..<1000])
  }
}
