import Foundation
import Synchronization

/// A thread's place in a team: its share of the present job's parts, and where it sleeps.
final class Seat: Sendable {
  /// The job's number in 32 bits, the first part left and the one after the last in 16 each, so that one exchange takes a part.
  private let share = Atomic<UInt64>(0)
  let sleeper = Sleeper()
  /// The core that its thread is to be bound to; -1: none.
  let core = Atomic<Int32>(-1)

  /// Parts of a job that its threads can share out.
  static let mostParts = Int(UInt16.max)

  func fill(_ parts: Range<Int>, of job: UInt32) {
    share.store(
      UInt64(job) << 32 | UInt64(parts.lowerBound) << 16 | UInt64(parts.upperBound), ordering: .releasing)
  }

  /// For the thread whose seat it is.
  func takeFirst(of job: UInt32) -> Int? {
    take(of: job) {
      $0 + 1 << 16
    } part: {
      $0.first
    }
  }

  /// For the others.
  func takeLast(of job: UInt32) -> Int? {
    take(of: job) {
      $0 - 1
    } part: {
      $0.last
    }
  }

  private func take(
    of job: UInt32, next: (UInt64) -> UInt64, part: (Range<Int>) -> Int?
  ) -> Int? {
    var word = share.load(ordering: .acquiring)
    while UInt32(word >> 32) == job {
      let (first, end) = (Int(word >> 16 & 0xffff), Int(word & 0xffff))
      guard first < end, let part = part(first..<end) else { return nil }
      let (done, now) = share.weakCompareExchange(
        expected: word, desired: next(word), successOrdering: .acquiringAndReleasing,
        failureOrdering: .acquiring)
      if done { return part }
      word = now
    }
    return nil
  }
}

/// A thread that may sleep until another one has something for it.
final class Sleeper: Sendable {
  private let isAsleep = Atomic<Bool>(false)
  private let bell = DispatchSemaphore(value: 0)

  /// Sleeps until it is woken, which may be for nothing; not at all when `mustWait` no longer holds.
  ///
  /// Whoever makes `mustWait` false wakes the sleeper afterwards: either it sees that, or this sees the change.
  func sleep(while mustWait: () -> Bool) {
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    if !mustWait(), isAsleep.exchange(false, ordering: .sequentiallyConsistent) { return }
    bell.wait()
  }

  func wake() {
    guard isAsleep.load(ordering: .sequentiallyConsistent) else { return }
    if isAsleep.exchange(false, ordering: .sequentiallyConsistent) { bell.signal() }
  }
}
