import CThreads
import Foundation

extension Parallel {
  /// Steps of niceness by which helpers stand behind the threads that run networks: a third of a core's time where both want it.
  private static let helperNiceness: Int32 = 5

  /// Starts a thread that works beside the network's threads and gives way to them. Its loops and kernels stay on it, so that they neither
  /// wait for the team nor keep it from the network.
  package static func startHelper(_ name: String, _ body: @escaping @Sendable () -> Void) {
    let thread = Thread {
      _ = lower_priority(helperNiceness)
      onThisThread(body)
    }
    thread.name = name
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// Runs `body` with all loops and kernels inside of it on the calling thread.
  package static func onThisThread<Result>(_ body: () throws -> Result) rethrows -> Result {
    let place = ThreadPlace.current
    let outer = place.pointee
    (place.pointee.part, place.pointee.parts) = (0, 1)
    defer { place.pointee = outer }
    return try body()
  }
}
