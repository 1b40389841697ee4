import CThreads
import Foundation
import Synchronization
import Testing

@testable import AviaryTensors

/// Jobs of parts, run by teams of several sizes, some larger than this machine.
@Suite("Team of threads")
struct ThreadTeamTests {
  /// How often each part of a job ran.
  private final class Counts: Sendable {
    private let counts = Mutex<[Int: Int]>([:])
    func add(_ part: Int) { counts.withLock { $0[part, default: 0] += 1 } }
    var all: [Int: Int] { counts.withLock { $0 } }
    var total: Int { counts.withLock { $0.values.reduce(0, +) } }
  }

  /// Runs `body` with the number of each part.
  private static func run(
    _ team: ThreadTeam, _ parts: Int, waitsInside: Bool = false, _ body: @escaping (Int) -> Void
  ) {
    var body = body
    withUnsafeMutablePointer(to: &body) { pointer in
      team.run(parts, waitsInside: waitsInside, pointer) { data in
        let part = Int(ThreadPlace.current.pointee.part)
        data!.assumingMemoryBound(to: ((Int) -> Void).self).pointee(part)
      }
    }
  }

  private static let teams = [1, 2, 3, 8].map { ThreadTeam(threadCount: $0) }

  @Test("each part runs once", arguments: teams)
  func everyPart(team: ThreadTeam) {
    for parts in [1, 2, 3, 7, 8, 31] {
      for _ in 0..<50 {
        let counts = Counts()
        Self.run(team, parts, counts.add)
        #expect(counts.all == Dictionary(uniqueKeysWithValues: (0..<parts).map { ($0, 1) }))
      }
    }
  }

  @Test("thousands of short jobs, with pauses that let workers fall asleep", arguments: teams)
  func shortJobs(team: ThreadTeam) {
    let sum = Atomic<Int>(0)
    for job in 0..<4000 {
      Self.run(team, 6) { sum.add($0 + 1, ordering: .relaxed) }
      #expect(sum.load(ordering: .relaxed) == 21 * (job + 1))
      if job % 500 == 0 { usleep(2000) }
    }
  }

  @Test("others take the parts of a thread that is held up")
  func heldUp() {
    let counts = Counts()
    Self.run(Self.teams[1], 8) { part in
      if part == 0 {
        let limit = Date(timeIntervalSinceNow: 20)
        while counts.total < 7, Date() < limit { usleep(100) }
        #expect(counts.total == 7)
      }
      counts.add(part)
    }
    #expect(counts.total == 8)
  }

  @Test("parts wait for each other", arguments: teams.dropFirst())
  func meeting(team: ThreadTeam) {
    let arrived = Atomic<Int>(0)
    for round in 0..<200 {
      Self.run(team, team.threadCount, waitsInside: true) { _ in
        for stage in 1...3 {
          arrived.add(1, ordering: .sequentiallyConsistent)
          team.meet(team.threadCount)
          let expected = (3 * round + stage) * team.threadCount
          #expect(arrived.load(ordering: .sequentiallyConsistent) == expected)
          team.meet(team.threadCount)
        }
      }
    }
  }

  @Test("callers on several threads")
  func severalCallers() {
    let counts = Counts()
    DispatchQueue.concurrentPerform(iterations: 4) { caller in
      for _ in 0..<300 {
        Self.run(Self.teams[1], 8) { _ in counts.add(caller) }
        Self.run(Self.teams[1], 2, waitsInside: true) { _ in
          Self.teams[1].meet(2)
          counts.add(caller)
        }
      }
    }
    #expect(counts.all == [0: 3000, 1: 3000, 2: 3000, 3: 3000])
  }

  @Test("a job inside a part of another one has that part's thread to itself")
  func nested() {
    let counts = Counts()
    Self.run(Self.teams[2], 5) { _ in
      Self.run(Self.teams[2], 4) { counts.add($0) }
      Parallel.forEachRange(1000) { counts.add(1000 + $0.count) }
    }
    #expect(counts.all == [0: 5, 2000: 5])
    #expect(ThreadPlace.current.pointee.parts == 0)
  }

  @Test("oneDNN's kernels run on the team, other users of OpenMP do not")
  func replacesOpenMP() throws {
    #expect(is_openmp_replaced())
    let query = try #require(dlsym(nil, "omp_get_max_threads"))
    let maximum = unsafeBitCast(query, to: (@convention(c) () -> Int32).self)
    let cores = ProcessInfo.processInfo.activeProcessorCount
    if getenv("OMP_NUM_THREADS") == nil { #expect(Int(maximum()) == cores) }
    #expect(OpenMP.withParts(17) { maximum() } == 17)
    let number = unsafeBitCast(
      try #require(dlsym(nil, "omp_get_thread_num")), to: (@convention(c) () -> Int32).self)
    let counts = Counts()
    Self.run(ThreadTeam.shared, 5) { part in counts.add(Int(number()) == part ? 1 : 0) }
    #expect(counts.all == [1: 5])
    let before = ThreadTeam.shared.jobCount
    _ = convolution(
      .zeros([1, 32, 64, 64]), .zeros([32, 32, 1, 1]),
      ConvolutionGeometry(stride: [1, 1], padding: .none(2)))
    if Parallel.threadCount > 1 { #expect(ThreadTeam.shared.jobCount != before) }
  }

  @Test("workers wait briefly for a second after four stalls within one, and for shorter waits never")
  func patience() {
    let millisecond: UInt64 = 1_000_000
    /// Waits of `length` milliseconds that end at those times.
    func after(_ times: [UInt64], length: UInt64) -> Patience {
      let patience = Patience()
      for time in times {
        patience.callerWaited(since: (time - length) * millisecond, until: time * millisecond)
      }
      return patience
    }
    #expect(Patience().ofWorkers == Patience.long)
    #expect(after([1000, 1100, 1200], length: 3).ofWorkers == Patience.long)
    #expect(after([1000, 1300, 1600, 2100], length: 3).ofWorkers == Patience.long)
    #expect(after([1000, 1010, 1020, 1030, 1040], length: 1).ofWorkers == Patience.long)
    let disturbed = after([1000, 1300, 1600, 1900], length: 3)
    #expect(disturbed.ofWorkers == Patience.short)
    disturbed.jobBegins(at: 2800 * millisecond)
    #expect(disturbed.ofWorkers == Patience.short)
    disturbed.jobBegins(at: 2901 * millisecond)
    #expect(disturbed.ofWorkers == Patience.long)
  }
}

extension ThreadTeam: CustomTestStringConvertible {
  public var testDescription: String { "\(threadCount) threads" }
}
