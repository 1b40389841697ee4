/// A name with numbers left open: `conv{s}_block{n}_{k}_conv`, `layer{s-1}.{n-1}.conv{k}`.
///
/// A capture stands for a decimal number without leading zeros; `{s-1}` is one less than the number called s.
struct NamePattern: Hashable, Sendable {
  private enum Piece: Hashable {
    case text(String)
    case number(name: String, offset: Int)
  }

  let text: String
  private let pieces: [Piece]

  /// Throws ``WeightsError`` when braces do not match or a number could not be told from what follows it.
  init(_ text: String) throws {
    self.text = text
    var pieces: [Piece] = []
    var rest = text[...]
    while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
      let malformed = WeightsError(
        .malformed, "the pattern \(text.quoted) is not understood at \(rest[brace...])")
      guard rest[brace] == "{", let end = rest[brace...].firstIndex(of: "}") else { throw malformed }
      if brace > rest.startIndex { pieces.append(.text(String(rest[..<brace]))) }
      let body = rest[rest.index(after: brace)..<end]
      let name = body.prefix { $0.isLetter }
      let offset = body.dropFirst(name.count)
      guard !name.isEmpty, offset.isEmpty || Int(offset) != nil && !offset.first!.isNumber else {
        throw malformed
      }
      pieces.append(.number(name: String(name), offset: Int(offset) ?? 0))
      rest = rest[rest.index(after: end)...]
      if case .number? = pieces.last, rest.first?.isNumber == true || rest.first == "{" { throw malformed }
    }
    if !rest.isEmpty { pieces.append(.text(String(rest))) }
    self.pieces = pieces
  }

  /// The names of the captures.
  var captureNames: Set<String> {
    Set(pieces.compactMap { if case .number(let name, _) = $0 { name } else { nil } })
  }

  /// The numbers by name, or nil when `text` does not have this form.
  func match(_ text: String) -> [String: Int]? {
    // Bytes, not characters: a map tries every pattern on every name.
    var rest = text.utf8[...]
    var numbers: [String: Int] = [:]
    for piece in pieces {
      switch piece {
      case .text(let literal):
        guard rest.starts(with: literal.utf8) else { return nil }
        rest = rest.dropFirst(literal.utf8.count)
      case .number(let name, let offset):
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        guard let number = Int(Substring(digits)), digits.count == 1 || digits.first != 0x30 else {
          return nil
        }
        let value = number - offset
        guard numbers[name] == nil || numbers[name] == value else { return nil }
        numbers[name] = value
        rest = rest.dropFirst(digits.count)
      }
    }
    return rest.isEmpty ? numbers : nil
  }

  /// The name with the numbers put in, or nil when one of them would be negative.
  func name(_ numbers: [String: Int]) -> String? {
    var result = ""
    for piece in pieces {
      switch piece {
      case .text(let literal): result += literal
      case .number(let name, let offset):
        guard let value = numbers[name], value + offset >= 0 else { return nil }
        result += String(value + offset)
      }
    }
    return result
  }

  /// The numbers in the order of the pattern, for sorting.
  func values(_ numbers: [String: Int]) -> [Int] {
    pieces.compactMap { if case .number(let name, _) = $0 { numbers[name] } else { nil } }
  }
}
