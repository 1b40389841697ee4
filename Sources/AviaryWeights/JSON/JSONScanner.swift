/// Reads JSON strictly: what other readers could understand differently is an error.
///
/// Foundation's parser keeps the last of several equal keys, which lets one file mean different things to different programs.
/// Here equal keys, bytes that are not UTF-8, numbers beyond 64 bits, deep nesting and anything after the value are refused.
struct JSONScanner {
  /// A value that keeps the order of an object's members.
  enum Value {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([Value])
    case object([(key: String, value: Value)])
  }

  private static let maximumDepth = 64

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0
  private let budget: ReadingBudget

  /// The value of the whole text. Throws ``WeightsError`` of kind `malformed` that says where, or `refused` when the values take more than
  /// the budget allows, by default that of a file of this text.
  static func scan(_ text: [UInt8], _ budget: ReadingBudget? = nil) throws -> Value {
    try text.withUnsafeBufferPointer { bytes in
      var scanner = JSONScanner(bytes: bytes, budget ?? ReadingBudget(fileBytes: bytes.count))
      let value = try scanner.value(depth: 0)
      scanner.skipSpace()
      guard scanner.position == bytes.count else { throw scanner.failure("something follows the value") }
      return value
    }
  }

  private init(bytes: UnsafeBufferPointer<UInt8>, _ budget: ReadingBudget) {
    self.bytes = bytes
    self.budget = budget
  }

  private func failure(_ reason: String) -> WeightsError {
    WeightsError(.malformed, "the JSON is not valid at byte \(position): \(reason)")
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func expect(_ character: Unicode.Scalar) throws {
    skipSpace()
    guard next == UInt8(ascii: character) else { throw failure("expected '\(character)'") }
    position += 1
  }

  /// Consumes `character` when it is next.
  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws -> Value {
    skipSpace()
    // A hundred megabytes of `[0,0,…` would take gigabytes as values.
    try budget.spend(steps: 2)
    try budget.keep(bytes: 64)
    guard depth < Self.maximumDepth else { throw failure("nested deeper than \(Self.maximumDepth)") }
    switch next {
    case UInt8(ascii: "{"): return .object(try object(depth: depth))
    case UInt8(ascii: "["): return .array(try array(depth: depth))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw failure("the text ends early")
    default: return try number()
    }
  }

  private mutating func word(_ word: StaticString, _ value: Value) throws -> Value {
    let end = position + word.utf8CodeUnitCount
    let matches = word.withUTF8Buffer { end <= bytes.count && bytes[position..<end].elementsEqual($0) }
    guard matches else { throw failure("expected \(word)") }
    position = end
    return value
  }

  private mutating func object(depth: Int) throws -> [(key: String, value: Value)] {
    try expect("{")
    var members: [(key: String, value: Value)] = []
    var keys: Set<String> = []
    if take("}") { return members }
    repeat {
      skipSpace()
      let key = try string()
      guard keys.insert(key).inserted else { throw failure("the key \(key.quoted) occurs twice") }
      try expect(":")
      members.append((key, try value(depth: depth + 1)))
    } while take(",")
    try expect("}")
    return members
  }

  private mutating func array(depth: Int) throws -> [Value] {
    try expect("[")
    var elements: [Value] = []
    if take("]") { return elements }
    repeat { elements.append(try value(depth: depth + 1)) } while take(",")
    try expect("]")
    return elements
  }

  private mutating func number() throws -> Value {
    let start = position
    while let byte = next,
      byte == 0x2B || byte == 0x2D || byte == 0x2E || (0x30...0x39).contains(byte)
        || byte | 0x20 == UInt8(ascii: "e")
    { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    // JSON has neither "+1", "01", ".5" nor "5."; Swift's own parsers take some of them.
    guard let first = digits.first, first.isNumber, text.last?.isNumber == true,
      !(first == "0" && digits.dropFirst().first?.isNumber == true)
    else { throw failure("expected a value") }
    if let integer = Int(text) { return .integer(integer) }
    guard digits.contains(where: { !$0.isNumber }) else { throw failure("\(text) needs more than 64 bits") }
    guard let number = Double(text), number.isFinite else { throw failure("\(text) is not a number") }
    return .number(number)
  }
}

// MARK: Strings

extension JSONScanner {
  private mutating func string() throws -> String {
    guard next == UInt8(ascii: "\"") else { throw failure("expected a string") }
    position += 1
    var text: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw failure("the string before it is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): try appendEscape(to: &text)
      case 0..<0x20: throw failure("a control character in a string")
      default: text.append(byte)
      }
    }
    throw failure("the text ends inside a string")
  }

  private mutating func appendEscape(to text: inout [UInt8]) throws {
    guard let byte = next else { throw failure("the text ends inside a string") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code), next == UInt8(ascii: "\\") {
        position += 1
        guard next == UInt8(ascii: "u") else { throw failure("half of a surrogate pair") }
        position += 1
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw failure("half of a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("half of a surrogate pair") }
      text.append(contentsOf: UTF8.encode(scalar)!)
    default: throw failure("an unknown escape")
    }
  }

  private mutating func hexadecimal() throws -> UInt32 {
    guard position + 4 <= bytes.count,
      bytes[position..<(position + 4)].allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
      let code = UInt32(String(decoding: bytes[position..<(position + 4)], as: UTF8.self), radix: 16)
    else { throw failure("\\u needs four hexadecimal digits") }
    position += 4
    return code
  }

  /// `text` as a JSON string, in quotes.
  static func quote(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\0"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
