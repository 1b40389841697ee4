import Foundation
import Synchronization

/// All output of the program: results to stdout, everything else to stderr.
enum Console {
  /// Takes the lines instead, for tests.
  final class Capture: Sendable {
    private let lines = Mutex<(output: [String], errors: [String])>(([], []))

    var output: String { lines.withLock { $0.output.joined(separator: "\n") } }
    var errors: String { lines.withLock { $0.errors.joined(separator: "\n") } }

    fileprivate func append(_ text: String, isError: Bool) {
      lines.withLock { if isError { $0.errors.append(text) } else { $0.output.append(text) } }
    }
  }

  @TaskLocal static var capture: Capture?

  static func print(_ text: String) { write(text, to: .standardOutput) }
  static func printError(_ text: String) { write(text, to: .standardError) }

  private static func write(_ text: String, to file: FileHandle) {
    if let capture { return capture.append(text, isError: file === FileHandle.standardError) }
    file.write(Data((text + "\n").utf8))
  }

  static func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
  }

  /// JSON in one line, for programs that read line by line.
  static func compactJSON(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// Columns as wide as their widest cell; those in `right` are aligned to the right.
  static func table(_ header: [String], _ rows: [[String]], right: Set<Int> = []) -> String {
    let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
    func line(_ cells: [String]) -> String {
      cells.enumerated().map { column, cell in
        right.contains(column)
          ? cell.padded(to: widths[column], onLeft: true) : cell.padded(to: widths[column])
      }.joined(separator: "  ").trimmingCharacters(
        in: .whitespaces.subtracting(.init(charactersIn: "\u{A0}")))
    }
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
    return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
  }
}

extension String {
  func padded(to width: Int, onLeft: Bool = false) -> String {
    let blanks = String(repeating: " ", count: max(width - count, 0))
    return onLeft ? blanks + self : self + blanks
  }
}

extension Int {
  /// With a thin mark between thousands: 25 557 032.
  var grouped: String {
    let digits = String(self)
    return String(
      digits.enumerated().flatMap { index, digit -> [Character] in
        index > 0 && (digits.count - index) % 3 == 0 ? [" ", digit] : [digit]
      })
  }
}

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
    let text = "\(label) \(bar) \(unit.text(Double(done)))\(ends.0)  \(speed)/s\(ends.1)  \(note)"
    FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
  }

  /// Removes the bar.
  func finish() {
    if hasDrawn { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    hasDrawn = false
  }
}
