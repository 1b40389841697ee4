import Foundation
import Synchronization

/// How long a team's workers look for the next job before they sleep.
///
/// Long, as long as nobody else wants their cores: waking a thread takes longer than a short kernel runs (EfficientNet-B0 on two idle
/// cores: 100 looks 7.5 ms, 300 7.2, 2000 6.8). Short while another program uses one of them: a worker that has slept most of the time
/// may interrupt it when there is work, one that has looked in vain is interrupted itself, in the middle of a part that all others
/// then wait for (MobileNet v1: 100 looks 9.0 ms, 300 9.8, 600 10.3).
///
/// That another program is there shows when the caller has to wait for the last parts, longer than any part of a short kernel takes:
/// with short patience six times a second, with long patience ten times as often, on an idle machine once or twice. Networks of long
/// kernels look alike, and do not mind.
final class Patience: Sendable {
  /// Looks, each some ten nanoseconds.
  private let looks = Atomic<Int>(Patience.long)
  private let disturbedUntil = Atomic<UInt64>(0)
  /// When the caller last had to wait, oldest first.
  private let stalls = Mutex<[UInt64]>([])

  static let long = 2000
  static let short = 100
  /// Nanoseconds that no part of a short kernel takes.
  private static let stall: UInt64 = 1_000_000
  /// So many stalls within so many nanoseconds are another program's doing, which will go on for as long.
  private static let stallCount = 4
  private static let stallTime: UInt64 = 1_000_000_000

  var ofWorkers: Int { looks.load(ordering: .relaxed) }

  static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

  /// To be called before each job.
  func jobBegins(at now: @autoclosure () -> UInt64 = Patience.now) {
    guard ofWorkers != Self.long, now() > disturbedUntil.load(ordering: .relaxed) else { return }
    looks.store(Self.long, ordering: .relaxed)
  }

  /// To be told from when to when a caller, who had no more to do, waited for the others.
  func callerWaited(since start: UInt64, until now: UInt64 = Patience.now) {
    guard now - start > Self.stall else { return }
    stalls.withLock { stalls in
      stalls.append(now)
      guard stalls.count >= Self.stallCount else { return }
      if now - stalls.removeFirst() < Self.stallTime {
        disturbedUntil.store(now + Self.stallTime, ordering: .relaxed)
        looks.store(Self.short, ordering: .relaxed)
      }
    }
  }
}
