/// Reads little-endian numbers one after another from bytes that may end at any point.
struct ByteReader {
  private let data: UnsafeRawBufferPointer
  /// The next byte to be read; may be set to any place, even one outside.
  var position = 0

  init(_ data: UnsafeRawBufferPointer) { self.data = data }

  /// How many bytes are left.
  var remaining: Int { position >= 0 && position <= data.count ? data.count - position : 0 }

  mutating func bytes(_ count: Int) throws -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else {
      throw WeightsError(
        .truncated, "\(count) bytes were expected at byte \(position), there are \(remaining)")
    }
    // Nothing may be asked for at a place outside, of which there is no slice.
    if count == 0 { return .init(start: nil, count: 0) }
    defer { position += count }
    return .init(rebasing: data[position..<(position + count)])
  }

  mutating func skip(_ count: Int) throws { _ = try bytes(count) }

  mutating func uint8() throws -> UInt8 { try bytes(1)[0] }
  mutating func uint16() throws -> UInt16 {
    UInt16(littleEndian: try bytes(2).loadUnaligned(as: UInt16.self))
  }
  mutating func uint32() throws -> UInt32 {
    UInt32(littleEndian: try bytes(4).loadUnaligned(as: UInt32.self))
  }
  mutating func uint64() throws -> UInt64 {
    UInt64(littleEndian: try bytes(8).loadUnaligned(as: UInt64.self))
  }

  /// An unsigned number of 1, 2, 4 or 8 bytes that must be usable as a count.
  mutating func count(width: Int) throws -> Int {
    switch width {
    case 1: Int(try uint8())
    case 2: Int(try uint16())
    case 4: Int(try uint32())
    default: try count64()
    }
  }

  /// A 64-bit number that must be usable as a count or position.
  mutating func count64() throws -> Int {
    let value = try uint64()
    guard value <= UInt64(Int.max / 2) else {
      throw WeightsError(.malformed, "the size \(value) before byte \(position) is not possible")
    }
    return Int(value)
  }
}
