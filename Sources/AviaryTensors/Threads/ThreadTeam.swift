import CThreads
import Foundation
import Synchronization

/// The threads on which loops and kernels run: the one that starts them, and workers that wait for it.
///
/// A job comes in *parts*, where possible more than there are threads. Each thread begins with its own share of them, the same ones in
/// every run, so that its core's cache still holds what it wrote; a thread that is done takes parts of the others. So a thread whose
/// core another program uses holds nobody up for longer than one part takes.
final class ThreadTeam: Sendable {
  /// What runs a part; ``ThreadPlace`` tells it which one.
  typealias Body = @convention(c) (UnsafeMutableRawPointer?) -> Void

  static let shared = ThreadTeam(threadCount: defaultThreadCount)

  let threadCount: Int
  /// Parts of jobs that may be divided as one likes. MobileNet v1 on two threads: 2, 4 and 8 for each take the same time on an idle machine.
  var partCount: Int { threadCount == 1 ? 1 : 4 * threadCount }

  /// Into how many pieces from top to bottom to cut each of `images`, at least `count` and at most `most`, so that all threads get as
  /// many: thread by thread the same rows in each loop that cuts so.
  func fairCount(_ count: Int, ofEachOf images: Int, most: Int) -> Int {
    let divisor = images % threadCount == 0 ? 1 : threadCount
    return min((count + divisor - 1) / divisor * divisor, most)
  }

  private struct Job {
    var body: Body
    var data: UnsafeMutableRawPointer?
    var parts: Int
  }

  /// Written while nobody works; whoever takes a part reads it.
  private let job: Unchecked<UnsafeMutablePointer<Job>>
  /// Which job it is, so that a thread that comes late takes no part of the next one.
  private let generation = Atomic<UInt32>(0)
  private let unfinished = Atomic<Int>(0)
  /// Whether a worker's arithmetic in the present job was invalid.
  private let sawInvalid = Atomic<Bool>(false)
  /// The caller's seat is the first.
  private let seats: [Seat]
  private let arrivals = Atomic<Int>(0)
  private let passages = Atomic<UInt32>(0)
  /// Held while a job runs.
  private let turn = Mutex(())

  private let patience = Patience()
  /// How often a caller looks whether the others are done before it sleeps.
  private static let callerPatience = 5000

  /// What `OMP_NUM_THREADS` says, the variable that other numeric libraries know, else the number of cores.
  private static var defaultThreadCount: Int {
    let wanted = ProcessInfo.processInfo.environment["OMP_NUM_THREADS"].flatMap {
      Int($0.prefix { $0 != "," })
    }
    return min(max(wanted ?? ProcessInfo.processInfo.activeProcessorCount, 1), 1024)
  }

  init(threadCount: Int) {
    self.threadCount = threadCount
    seats = (0..<threadCount).map { _ in Seat() }
    job = Unchecked(.allocate(capacity: 1))
    job.value.initialize(to: Job(body: { _ in }, data: nil, parts: 0))
    for index in 1..<max(threadCount, 1) {
      let thread = Thread { self.serve(at: index) }
      thread.name = "aviary \(index)"
      // As much as a main thread has: oneDNN's kernels keep blocks there.
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  /// Runs all parts and waits for them. Invalid arithmetic in any of them raises the calling thread's flag, as if it had done all work.
  ///
  /// - Parameter waitsInside: whether parts wait for each other: then there must be no more of them than threads, each on its own.
  func run(_ parts: Int, waitsInside: Bool = false, _ data: UnsafeMutableRawPointer?, _ body: Body) {
    require(1...Seat.mostParts ~= parts, "a job of \(parts) parts, of at most \(Seat.mostParts)")
    let job = Job(body: body, data: data, parts: parts)
    if parts == 1 || ThreadPlace.current.pointee.isInsideJob {
      return runHere(Job(body: body, data: data, parts: 1))
    }
    if waitsInside {
      require(parts <= threadCount, "\(parts) parts that wait for each other, \(threadCount) threads")
      return turn.withLock { _ in runTogether(job) }
    }
    // Another thread's job has the team: this one's core has nothing better to do than all parts.
    if turn.withLockIfAvailable({ _ in runTogether(job) }) == nil { runHere(job) }
  }

  /// To be called by all parts of a job: none goes on until all are here.
  func meet(_ parts: Int) {
    guard parts > 1 else { return }
    require(
      parts <= threadCount, "\(parts) parts wait for each other, but there are \(threadCount) threads")
    let passage = passages.load(ordering: .acquiring)
    if arrivals.add(1, ordering: .acquiringAndReleasing).newValue == parts {
      arrivals.store(0, ordering: .relaxed)
      passages.add(1, ordering: .releasing)
      return
    }
    var looks = 0
    while passages.load(ordering: .acquiring) == passage {
      pause_spinning()
      looks += 1
      if looks % Self.callerPatience == 0 { sched_yield() }
    }
  }

  /// Binds the calling thread to the core it runs on and each worker to one of the others, where there is a core for each.
  func bindToCores() {
    var cores = [Int32](repeating: 0, count: threadCount)
    let own = current_core()
    // libgomp's own threads would inherit this one's core.
    guard is_openmp_replaced(), allowed_cores(&cores, Int32(threadCount)) == threadCount, bind_to_core(own)
    else { return }
    for (seat, core) in zip(seats.dropFirst(), cores.filter { $0 != own }) {
      seat.core.store(core, ordering: .relaxed)
    }
  }

  /// Jobs that the team has had, in 32 bits.
  var jobCount: UInt32 { generation.load(ordering: .relaxed) }

  // MARK: Jobs

  private func runHere(_ job: Job) {
    let place = ThreadPlace.current
    let outer = place.pointee
    for part in 0..<job.parts {
      (place.pointee.part, place.pointee.parts) = (Int32(part), Int32(job.parts))
      job.body(job.data)
    }
    place.pointee = outer
  }

  private func runTogether(_ job: Job) {
    patience.jobBegins()
    self.job.value.pointee = job
    unfinished.store(job.parts, ordering: .relaxed)
    let number = generation.load(ordering: .relaxed) &+ 1
    let sharers = min(threadCount, job.parts)
    for (index, seat) in seats.enumerated() {
      let (start, end) = (index * job.parts / sharers, (index + 1) * job.parts / sharers)
      seat.fill(index < sharers ? start..<end : 0..<0, of: number)
    }
    generation.store(number, ordering: .sequentiallyConsistent)
    for seat in seats[1..<sharers] { seat.sleeper.wake() }
    work(at: 0, on: number)
    awaitOthers()
    if sawInvalid.exchange(false, ordering: .relaxed) { raise_invalid_flag() }
  }

  private func awaitOthers() {
    for _ in 0..<Self.callerPatience {
      if unfinished.load(ordering: .acquiring) == 0 { return }
      pause_spinning()
    }
    let start = Patience.now
    while unfinished.load(ordering: .acquiring) > 0 {
      seats[0].sleeper.sleep { unfinished.load(ordering: .sequentiallyConsistent) > 0 }
    }
    patience.callerWaited(since: start)
  }

  private func work(at index: Int, on number: UInt32) {
    let place = ThreadPlace.current
    place.pointee.seat = Int32(index)
    while let part = seats[index].takeFirst(of: number) { run(part, place) }
    for distance in 1..<threadCount {
      let other = seats[(index + distance) % threadCount]
      while let part = other.takeLast(of: number) { run(part, place) }
    }
  }

  private func run(_ part: Int, _ place: UnsafeMutablePointer<ThreadPlace>) {
    let job = job.value.pointee
    (place.pointee.part, place.pointee.parts) = (Int32(part), Int32(job.parts))
    job.body(job.data)
    (place.pointee.part, place.pointee.parts) = (0, 0)
    if place.pointee.seat > 0, has_invalid_flag() {
      clear_invalid_flag()
      sawInvalid.store(true, ordering: .relaxed)
    }
    // After the last one the caller may go on at once: nothing of the job may be read any more.
    if unfinished.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 { seats[0].sleeper.wake() }
  }

  /// A worker's life.
  private func serve(at index: Int) {
    let seat = seats[index]
    var seen: UInt32 = 0
    var boundTo: Int32 = -1
    while true {
      var looks = 0
      while generation.load(ordering: .acquiring) == seen {
        pause_spinning()
        looks += 1
        if looks > patience.ofWorkers {
          seat.sleeper.sleep { generation.load(ordering: .sequentiallyConsistent) == seen }
          looks = 0
        }
      }
      seen = generation.load(ordering: .acquiring)
      let core = seat.core.load(ordering: .relaxed)
      if core != boundTo {
        _ = bind_to_core(core)
        boundTo = core
      }
      work(at: index, on: seen)
    }
  }
}
