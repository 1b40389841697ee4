import Foundation
import Synchronization

/// How much memory a piece of work takes.
public enum PeakMemory {
  /// The most anonymous memory in bytes that this process had while `body` ran, beyond what it had before; nil where the system does not
  /// tell.
  ///
  /// Anonymous memory is what a program asked for. Pages of mapped files are not counted: the system takes them back when it likes. It
  /// keeps no record of the highest value, so a thread looks every half millisecond; the block that matters takes far longer to fill.
  public static func during(_ body: () throws -> Void) throws -> Int? {
    guard let before = anonymousBytes else {
      try body()
      return nil
    }
    let watcher = Watcher(before)
    let thread = Thread { watcher.watch() }
    thread.start()
    defer { watcher.stop() }
    try body()
    return watcher.stop() - before
  }

  private static var anonymousBytes: Int? {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
      let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
    else { return nil }
    return kibibytes * 1024
  }

  private final class Watcher: Sendable {
    private let state: Mutex<(peak: Int, isRunning: Bool)>

    init(_ start: Int) { state = Mutex((start, true)) }

    func watch() {
      while state.withLock({ $0.isRunning }) {
        let now = PeakMemory.anonymousBytes ?? 0
        state.withLock { $0.peak = max($0.peak, now) }
        usleep(500)
      }
    }

    @discardableResult func stop() -> Int {
      state.withLock {
        $0.isRunning = false
        return $0.peak
      }
    }
  }
}
