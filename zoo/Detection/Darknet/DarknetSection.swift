import Foundation

/// One `[section]` of a darknet `.cfg`: what kind of layer it is, and its options.
struct DarknetSection: Sendable {
  /// The word in brackets: `convolutional`.
  let kind: String
  /// Where it stands in the file, from 1.
  let line: Int
  private var options: [String: (text: String, line: Int)] = [:]

  private init(kind: String, line: Int) { (self.kind, self.line) = (kind, line) }

  /// The longest text that is read; the longest published ones have some twenty thousand bytes.
  static let mostBytes = 1 << 20
  private static let mostSections = 4096

  /// The sections of a text, the first of which describes the input.
  ///
  /// Lines that begin with `#` or `;` say nothing, and blanks mean nothing, as darknet reads them.
  /// - Throws: ``ConfigurationError`` that names the line.
  static func sections(of text: String) throws(ConfigurationError) -> [DarknetSection] {
    guard text.utf8.count <= mostBytes else {
      throw ConfigurationError(
        entry: "cfg", given: "\(text.utf8.count) bytes", expected: "\(mostBytes) bytes at most")
    }
    var sections: [DarknetSection] = []
    for (index, part) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = part.filter { !$0.isWhitespace }
      guard let first = words.first, first != "#", first != ";" else { continue }
      if first == "[" {
        guard words.hasSuffix("]"), words.count > 2, sections.count < mostSections else {
          throw ConfigurationError(
            entry: "line \(index + 1)", given: words.cut,
            expected: "one of at most \(mostSections) sections in brackets")
        }
        sections.append(DarknetSection(kind: words.dropFirst().dropLast().lowercased(), line: index + 1))
        continue
      }
      let sides = words.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard sides.count == 2, !sides[0].isEmpty, !sections.isEmpty else {
        throw ConfigurationError(
          entry: "line \(index + 1)", given: words.cut, expected: "[section], or name=value in a section")
      }
      // Of a name that is said twice, darknet takes the first.
      let name = String(sides[0])
      if sections[sections.count - 1].options[name] == nil {
        sections[sections.count - 1].options[name] = (String(sides[1]), index + 1)
      }
    }
    guard let first = sections.first, ["net", "network"].contains(first.kind) else {
      throw ConfigurationError(
        entry: "cfg", given: sections.first.map { "[\($0.kind.cut)]" } ?? "without sections",
        expected: "a text that begins with [net]")
    }
    return sections
  }

  // MARK: Options

  /// Whether the file says anything of this option.
  func has(_ name: String) -> Bool { options[name] != nil }

  /// Whether it says anything else of it than 0.
  func asks(for name: String) -> Bool { options[name].map { Float($0.text) != 0 } ?? false }

  /// Where an option stands in the file, from 1; nil where it does not.
  func line(of name: String) -> Int? { options[name]?.line }

  /// An error about an option, or about the section itself.
  func error(_ name: String? = nil, given: String, expected: String) -> ConfigurationError {
    let place = name.flatMap { options[$0]?.line } ?? line
    return ConfigurationError(
      entry: "line \(place), [\(kind.cut)]" + (name.map { " \($0)" } ?? ""), given: given.cut,
      expected: expected)
  }

  private func value<Value>(
    _ name: String, _ expected: String, missing: Value?, _ convert: (String) -> Value?
  ) throws(ConfigurationError) -> Value {
    guard let text = options[name]?.text else {
      if let missing { return missing }
      throw error(name, given: "missing", expected: expected)
    }
    guard let value = convert(text) else { throw error(name, given: text, expected: expected) }
    return value
  }

  /// Extents and counts beyond any network's, which could not even be multiplied, are refused with the rest.
  static let largest = 1 << 20

  func integer(
    _ name: String, _ range: ClosedRange<Int> = 1...largest, missing: Int? = nil
  ) throws(ConfigurationError) -> Int {
    try value(name, "a whole number from \(range.lowerBound) to \(range.upperBound)", missing: missing) {
      Int($0).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  func flag(_ name: String) throws(ConfigurationError) -> Bool {
    try integer(name, 0...1, missing: 0) == 1
  }

  /// Something that is off, or not there: the networks here do without.
  func refuse(_ names: String...) throws(ConfigurationError) {
    for name in names {
      let text = options[name]?.text ?? "0"
      guard Float(text) == 0 else { throw error(name, given: text, expected: "0: nothing else is supported") }
    }
  }

  func number(_ name: String, missing: Float) throws(ConfigurationError) -> Float {
    try value(name, "a number", missing: missing) { text in
      Float(text).flatMap { $0.isFinite ? $0 : nil }
    }
  }

  func numbers(_ name: String) throws(ConfigurationError) -> [Float] {
    try value(name, "numbers with commas between them", missing: nil) { text in
      text.elements { Float($0).flatMap { $0.isFinite ? $0 : nil } }
    }
  }

  func integers(_ name: String, missing: [Int]? = nil) throws(ConfigurationError) -> [Int] {
    try value(name, "whole numbers with commas between them", missing: missing) { $0.elements { Int($0) } }
  }

  /// One of several words.
  func choice<Value>(
    _ name: String, _ words: [String: Value], missing: String
  ) throws(ConfigurationError) -> Value {
    let text = options[name]?.text ?? missing
    guard let value = words[text] else {
      throw error(
        name, given: text, expected: "one of \(words.keys.sorted().joined(separator: ", "))")
    }
    return value
  }
}

extension StringProtocol {
  /// The beginning, for messages.
  fileprivate var cut: String { count > 60 ? prefix(60) + "…" : String(self) }

  /// The parts between commas, the last of which may be empty; nil when one of them does not convert.
  fileprivate func elements<Value>(_ convert: (Substring) -> Value?) -> [Value]? {
    var parts = split(separator: ",", omittingEmptySubsequences: false).map { Substring($0) }
    if parts.last?.isEmpty == true { parts.removeLast() }
    let values = parts.compactMap(convert)
    return values.count == parts.count && !values.isEmpty ? values : nil
  }
}
