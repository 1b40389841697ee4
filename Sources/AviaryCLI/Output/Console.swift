import Foundation
import Synchronization

/// All output of the program: results to stdout, everything else to stderr.
enum Console {
  /// Takes the lines instead, for tests.
  final class Capture: Sendable {
    private let lines = Mutex<(output: [String], errors: [String])>(([], []))

    var output: String { lines.withLock { $0.output.joined(separator: "\n") } }
    var errors: String { lines.withLock { $0.errors.joined(separator: "\n") } }

    /// A part that the next text continues.
    private let part = Mutex("")

    fileprivate func append(_ text: String, isError: Bool) {
      if isError { return lines.withLock { $0.errors.append(text) } }
      let line = part.withLock { part in
        defer { part = "" }
        return part + text
      }
      lines.withLock { $0.output.append(line) }
    }

    fileprivate func appendPart(_ text: String) { part.withLock { $0 += text } }
  }

  @TaskLocal static var capture: Capture?

  static func print(_ text: String) {
    write(TerminalText.escaped(text, newlines: .kept), isError: false)
  }

  /// The beginning of a text, which the next one continues on the same line.
  static func printPart(_ text: String) {
    let text = TerminalText.escaped(text, newlines: .kept)
    if let capture { return capture.appendPart(text) }
    StandardStreams.write(text, to: STDOUT_FILENO)
  }

  /// A sentence, after which a list may follow whose items begin with two blanks.
  static func printError(_ text: String) {
    write(TerminalText.escaped(text, newlines: .ofItems), isError: true)
  }

  static func printJSON(_ value: some Encodable) throws {
    write(try JSONOutput.text(value), isError: false)
  }

  /// JSON in one line, for programs that read line by line.
  static func compactJSON(_ value: some Encodable) throws -> String {
    try JSONOutput.text(value, isCompact: true)
  }

  /// A share or a metric with four digits; – where there is none.
  static func fraction(_ value: (some BinaryFloatingPoint & CVarArg)?) -> String {
    value.map { String(format: "%.4f", $0) } ?? "–"
  }

  private static func write(_ text: String, isError: Bool) {
    let text = PipedFile.restoringNames(in: text)
    if let capture { return capture.append(text, isError: isError) }
    StandardStreams.write(text + "\n", to: isError ? STDERR_FILENO : STDOUT_FILENO)
  }

  /// Columns as wide as their widest cell; those in `right` are aligned to the right.
  static func table(_ header: [String], _ rows: [[String]], right: Set<Int> = []) -> String {
    let rows = rows.map { $0.map(\.onOneLine) }
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
