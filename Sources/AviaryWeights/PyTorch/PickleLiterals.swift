/// The instructions that push a number, a text or bytes. Each returns false when it is none of them.
extension PickleMachine {
  mutating func line() throws -> String {
    guard let text = String(validating: try lineBytes(), as: UTF8.self) else {
      throw Self.failure("a name is not UTF-8")
    }
    return text
  }

  /// The bytes up to the end of the line, which is behind them.
  private mutating func lineBytes() throws -> UnsafeRawBufferPointer {
    var line = reader
    var length = 0
    while try reader.uint8() != 0x0A { length += 1 }
    try budget.keep(bytes: length)
    return try line.bytes(length)
  }

  mutating func decimal() throws -> Int {
    let text = try line()
    guard let value = Int(text) else { throw Self.failure("\(text.quoted) is not an integer") }
    return value
  }

  mutating func pushNumber(_ code: UInt8) throws -> Bool {
    switch code {
    case UInt8(ascii: "K"): try push(.int(Int(try reader.uint8())))
    case UInt8(ascii: "M"): try push(.int(Int(try reader.uint16())))
    case UInt8(ascii: "J"): try push(.int(Int(Int32(bitPattern: try reader.uint32()))))
    case UInt8(ascii: "G"): try push(.float(Double(bitPattern: try reader.uint64().byteSwapped)))
    case 0x8A: try pushLong(byteCount: Int(try reader.uint8()))
    case 0x8B: try pushLong(byteCount: Int(try reader.uint32()))
    case UInt8(ascii: "I"): try pushInteger(try line())
    case UInt8(ascii: "L"): try pushInteger(String(try line().prefix { $0 != "L" }))
    case UInt8(ascii: "F"):
      let text = try line()
      guard let value = Double(text) else { throw Self.failure("\(text.quoted) is not a number") }
      try push(.float(value))
    default: return false
    }
    return true
  }

  private mutating func pushInteger(_ text: String) throws {
    switch text {
    case "00": push(PickleGraph.false)
    case "01": push(PickleGraph.true)
    default:
      let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
      guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
        throw Self.failure("\(text.quoted) is not an integer")
      }
      try push(Int(text).map { .int($0) } ?? .largeInteger)
    }
  }

  /// Little-endian two's complement of any length.
  private mutating func pushLong(byteCount: Int) throws {
    let bytes = try reader.bytes(byteCount)
    guard byteCount <= 8 else { return try push(.largeInteger) }
    var value = bytes.last.map { $0 >= 0x80 ? -1 : 0 } ?? 0
    for byte in bytes.reversed() { value = value << 8 | Int(byte) }
    try push(.int(value))
  }

  mutating func pushText(_ code: UInt8) throws -> Bool {
    switch code {
    case UInt8(ascii: "X"): try pushText(byteCount: Int(try reader.uint32()), mayBeBytes: false)
    case 0x8C: try pushText(byteCount: Int(try reader.uint8()), mayBeBytes: false)
    case 0x8D: try pushText(byteCount: try reader.count64(), mayBeBytes: false)
    // Texts of Python 2, which are bytes as often.
    case UInt8(ascii: "U"): try pushText(byteCount: Int(try reader.uint8()), mayBeBytes: true)
    case UInt8(ascii: "T"): try pushText(byteCount: Int(try reader.uint32()), mayBeBytes: true)
    case UInt8(ascii: "C"): try pushBytes(Int(try reader.uint8()))
    case UInt8(ascii: "B"): try pushBytes(Int(try reader.uint32()))
    case 0x8E, 0x96: try pushBytes(try reader.count64())
    case UInt8(ascii: "V"): try push(.string(try PickleEscapes.text(try lineBytes())))
    case UInt8(ascii: "S"): try push(.string(try PickleEscapes.quotedText(try lineBytes())))
    default: return false
    }
    return true
  }

  private mutating func pushText(byteCount: Int, mayBeBytes: Bool) throws {
    let start = position
    let bytes = try reader.bytes(byteCount)
    try budget.keep(bytes: byteCount)
    if let text = String(validating: bytes, as: UTF8.self) { return try push(.string(text)) }
    guard mayBeBytes else { throw Self.failure("a text is not UTF-8") }
    try push(.bytes(start..<position))
  }

  private mutating func pushBytes(_ count: Int) throws {
    let start = position
    try reader.skip(count)
    try push(.bytes(start..<position))
  }
}
