import Testing

@testable import AviaryTensors

@Suite("Threads of compiled networks")
struct PaceTests {
  /// Runs of a network on a machine where they take the given times; whether each went on one thread less.
  private func run(_ pace: inout Pace, _ count: Int, wide: Double, narrow: Double) -> [Bool] {
    (0..<count).map { _ in
      let isNarrow = pace.runsNarrow
      pace.record(isNarrow ? narrow : wide)
      return isNarrow
    }
  }

  @Test("all threads while the machine is idle, whatever a single run meets")
  func idle() {
    var pace = Pace()
    #expect(run(&pace, 100, wide: 6, narrow: 11).allSatisfy { !$0 })
    #expect(run(&pace, 2, wide: 60, narrow: 11).allSatisfy { !$0 })
    #expect(run(&pace, 100, wide: 6, narrow: 11).allSatisfy { !$0 })
  }

  @Test("one less beside a busy core, and all again when it is free")
  func busy() {
    var pace = Pace()
    _ = run(&pace, 20, wide: 6, narrow: 11)
    let busy = run(&pace, 200, wide: 13, narrow: 11)
    #expect(busy.count { $0 } > 160)
    #expect(busy.firstIndex(of: true)! < 10)
    let idle = run(&pace, 100, wide: 6, narrow: 11)
    #expect(idle.lastIndex(of: true)! < 70)
  }

  @Test("trials that are in vain become rare")
  func inVain() {
    var pace = Pace()
    _ = run(&pace, 20, wide: 6, narrow: 20)
    let busy = run(&pace, 1000, wide: 13, narrow: 20)
    #expect(1...40 ~= busy.count { $0 })
  }

  @Test("runs that are too short to judge stay on all threads")
  func short() {
    var pace = Pace()
    _ = run(&pace, 20, wide: 0.1, narrow: 0.05)
    #expect(run(&pace, 100, wide: 0.3, narrow: 0.05).allSatisfy { !$0 })
  }
}
