import Foundation
import Synchronization

/// How long a team's workers look for the next job before they sleep.
///
/// Long, as long as nobody else wants their cores: waking a thread takes longer than a short kernel runs (EfficientNet-B0 on two idle
/// cores: 100 looks 7.5 ms, 300 7.2, 2000 6.8). Short while another program uses one of them: a worker that has slept most of the time
/// may interrupt it when there is work, one that has looked in vain is interrupted itself, in the middle of a part that all others
/// then wait for (MobileNet v1: 100 looks 9.0 ms, 300 9.8, 600 10.3).
///
/// That another program is there shows when the caller waits for the last parts, twice in a short time, longer than any part of a short
/// kernel takes. Networks of long kernels look alike, and do not mind.
final class Patience: Sendable {
  /// Looks, each some ten nanoseconds.
  private let looks = Atomic<Int>(Patience.long)
  private let lastStall = Atomic<UInt64>(0)
  private let disturbedUntil = Atomic<UInt64>(0)

  static let long = 2000
  static let short = 100
  /// Nanoseconds.
  private static let stall: UInt64 = 400_000
  private static let stallsTogether: UInt64 = 250_000_000
  private static let disturbance: UInt64 = 500_000_000

  var ofWorkers: Int { looks.load(ordering: .relaxed) }

  static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

  /// To be called before each job.
  func jobBegins() {
    guard ofWorkers != Self.long, Self.now > disturbedUntil.load(ordering: .relaxed) else { return }
    looks.store(Self.long, ordering: .relaxed)
  }

  /// To be told since when a caller, who had no more to do, waited for the others.
  func callerWaited(since start: UInt64) {
    let now = Self.now
    guard now - start > Self.stall else { return }
    if now - lastStall.exchange(now, ordering: .relaxed) < Self.stallsTogether {
      disturbedUntil.store(now + Self.disturbance, ordering: .relaxed)
      looks.store(Self.short, ordering: .relaxed)
    }
  }
}
