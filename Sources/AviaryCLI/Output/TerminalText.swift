/// Text of files, servers and command lines as a terminal may have it: what would move the cursor, ring, or turn the direction of writing
/// is shown as `\u{1B}`.
enum TerminalText {
  /// What is left as it is.
  enum Newlines {
    /// The lines of a text of our own.
    case kept
    /// Those that begin an item of a list, which an error may have behind its sentence.
    case ofItems
    /// None: for names, which belong on one line.
    case escaped
  }

  static func escaped(_ text: String, newlines: Newlines) -> String {
    guard text.unicodeScalars.contains(where: { isEscaped($0) || $0 == "\n" }) else { return text }
    var result = ""
    let scalars = Array(text.unicodeScalars)
    for (index, scalar) in scalars.enumerated() {
      if scalar == "\n" {
        let isItem = index + 2 < scalars.count && scalars[index + 1] == " " && scalars[index + 2] == " "
        let isKept = newlines == .kept || (newlines == .ofItems && isItem)
        result += isKept ? "\n" : "\\n"
      } else if isEscaped(scalar) {
        result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// As ``escaped(_:newlines:)`` for JSON, where such characters can stand in strings only, as `\u009b`.
  static func escapedJSON(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { isEscaped($0) }) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if isEscaped(scalar) {
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Control characters but the end of a line, and what reorders text (UAX #9) or ends lines in some programs. All lie below U+10000.
  private static func isEscaped(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x0A: false
    case 0..<0x20, 0x7F...0x9F: true
    case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}

extension String {
  /// On one line and harmless: for names in a text of several lines.
  var onOneLine: String { TerminalText.escaped(self, newlines: .escaped) }
}
