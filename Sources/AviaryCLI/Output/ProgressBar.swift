import Foundation

/// A bar with rate and remaining time, on a terminal, for work of more than a second.
final class ProgressBar {
  private let isShown = isatty(STDERR_FILENO) == 1
  private let start = Date()
  private var lastDrawn = Date()
  private var hasDrawn = false

  /// What is counted.
  enum Unit {
    case items, bytes

    func text(_ count: Double) -> String {
      switch self {
      case .items: count == count.rounded() ? "\(Int(count))" : String(format: "%.1f", count)
      case .bytes: String(format: "%.1f MB", count / 1e6)
      }
    }
  }

  /// Draws `done` of `total`, which is 0 when it is not known, at most ten times a second.
  func update(_ label: String, done: Int, total: Int, note: String = "", unit: Unit = .items) {
    let now = Date()
    guard isShown, now.timeIntervalSince(start) > 1, now.timeIntervalSince(lastDrawn) > 0.1 else { return }
    lastDrawn = now
    hasDrawn = true
    let share = min(Double(done) / Double(max(total, 1)), 1)
    let rate = Double(done) / now.timeIntervalSince(start)
    let left = rate > 0 ? Int(Double(max(total - done, 0)) / rate) : 0
    let filled = total > 0 ? Int(share * 24) : 0
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled)
    let ends = total > 0 ? ("/\(unit.text(Double(total)))", "  \(left) s left") : ("", "")
    let speed = unit == .bytes ? unit.text(rate) : String(format: "%.1f", rate)
    let text =
      "\(label.onOneLine) \(bar) \(unit.text(Double(done)))\(ends.0)  \(speed)/s\(ends.1)  \(note.onOneLine)"
    StandardStreams.write("\r\u{1B}[K\(text)", to: STDERR_FILENO)
  }

  /// Removes the bar.
  func finish() {
    if hasDrawn { StandardStreams.write("\r\u{1B}[K", to: STDERR_FILENO) }
    hasDrawn = false
  }
}
