import AviaryTensors

/// The directory of a zip file: which members it has and where their bytes are.
///
/// Reads what `.npz`, `.keras` and PyTorch write: stored or deflated members, with or without ZIP64 sizes. Encrypted and split
/// files are refused.
struct ZipDirectory {
  struct Member: Sendable {
    enum Method: Sendable { case stored, deflated }
    let name: String
    let method: Method
    /// Bytes after unpacking.
    let byteCount: Int
    /// The packed bytes in the file.
    let range: Range<Int>
    let crc32: UInt32
  }

  let members: [Member]

  /// Reads the directory at the end of `file`. Throws ``WeightsError`` when it is missing or contradicts itself, or when the members
  /// unpack to more than the file's budget allows.
  init(_ file: FileWindow) throws {
    members = try file.withBytes(Self.members)
    try checkOverlap()
    for member in members where member.method == .deflated {
      try file.budget.unpack(bytes: member.byteCount)
    }
  }

  private static func members(_ bytes: UnsafeRawBufferPointer) throws -> [Member] {
    let end = try end(of: bytes)
    var reader = ByteReader(bytes)
    guard end.offset <= bytes.count, end.count <= bytes.count / 46 else {
      throw WeightsError(.truncated, "the directory of the zip file is incomplete")
    }
    reader.position = end.offset
    var members: [Member] = []
    var names: Set<String> = []
    for _ in 0..<end.count {
      let member = try member(&reader, bytes)
      guard names.insert(member.name).inserted else {
        throw WeightsError(.malformed, "two members of the zip file are called \(member.name.quoted)")
      }
      members.append(member)
    }
    return members
  }

  /// Members that share bytes make a small file unpack to a huge one.
  private func checkOverlap() throws {
    var end = 0
    for member in members.sorted(by: { $0.range.lowerBound < $1.range.lowerBound })
    where !member.range.isEmpty {
      guard member.range.lowerBound >= end else {
        throw WeightsError(.refused, "\(member.name.quoted) overlaps another member of the zip file")
      }
      end = member.range.upperBound
    }
  }

  func member(_ name: String) -> Member? { members.first { $0.name == name } }

  /// Position and number of the directory's entries, from the record at the end, which a comment may follow.
  private static func end(of bytes: UnsafeRawBufferPointer) throws -> (offset: Int, count: Int) {
    let missing = WeightsError(.truncated, "the zip file has no directory at its end")
    guard bytes.count >= 22 else { throw missing }
    var reader = ByteReader(bytes)
    for position in stride(from: bytes.count - 22, through: max(0, bytes.count - 22 - 65_535), by: -1) {
      reader.position = position
      guard try reader.uint32() == 0x0605_4B50 else { continue }
      reader.position = position + 4
      guard try reader.uint16() == 0, try reader.uint16() == 0 else {
        throw WeightsError(.unsupported, "the zip file is split over several disks")
      }
      try reader.skip(2)
      let count = Int(try reader.uint16())
      try reader.skip(4)
      let offset = Int(try reader.uint32())
      guard count == 0xFFFF || offset == 0xFFFF_FFFF else { return (offset, count) }
      return try zip64End(bytes, before: position)
    }
    throw missing
  }

  private static func zip64End(
    _ bytes: UnsafeRawBufferPointer, before position: Int
  ) throws -> (offset: Int, count: Int) {
    var reader = ByteReader(bytes)
    reader.position = max(0, position - 20)
    guard try reader.uint32() == 0x0706_4B50 else {
      throw WeightsError(.malformed, "the zip file lacks its ZIP64 directory")
    }
    try reader.skip(4)
    reader.position = try reader.count64()
    guard try reader.uint32() == 0x0606_4B50 else {
      throw WeightsError(.malformed, "the zip file lacks its ZIP64 directory")
    }
    try reader.skip(28)
    let count = try reader.count64()
    try reader.skip(8)
    return (try reader.count64(), count)
  }

  private static func member(_ reader: inout ByteReader, _ bytes: UnsafeRawBufferPointer) throws -> Member {
    guard try reader.uint32() == 0x0201_4B50 else {
      throw WeightsError(.malformed, "the directory of the zip file is damaged")
    }
    try reader.skip(4)
    let flags = try reader.uint16()
    let methodCode = try reader.uint16()
    try reader.skip(4)
    let crc = try reader.uint32()
    var packed = Int(try reader.uint32())
    var unpacked = Int(try reader.uint32())
    let nameLength = Int(try reader.uint16())
    let extraLength = Int(try reader.uint16())
    let commentLength = Int(try reader.uint16())
    try reader.skip(8)
    var offset = Int(try reader.uint32())
    guard let name = String(validating: try reader.bytes(nameLength), as: UTF8.self) else {
      throw WeightsError(.malformed, "a name in the zip file is not UTF-8")
    }
    var extra = ByteReader(try reader.bytes(extraLength))
    try reader.skip(commentLength)
    try readZip64(&extra, packed: &packed, unpacked: &unpacked, offset: &offset)
    guard flags & 1 == 0 else { throw WeightsError(.unsupported, "\(name.quoted) is encrypted") }
    guard let method: Member.Method = [0: .stored, 8: .deflated][methodCode] else {
      throw WeightsError(.unsupported, "\(name.quoted) is packed by method \(methodCode)")
    }
    guard method == .deflated || packed == unpacked else {
      throw WeightsError(.malformed, "\(name.quoted) is stored, but its two sizes differ")
    }
    let range = try dataRange(offset: offset, byteCount: packed, name: name, bytes)
    return Member(name: name, method: method, byteCount: unpacked, range: range, crc32: crc)
  }

  /// The ZIP64 field holds, in this order, whichever of the three did not fit into 32 bits.
  private static func readZip64(
    _ extra: inout ByteReader, packed: inout Int, unpacked: inout Int, offset: inout Int
  ) throws {
    while extra.remaining >= 4 {
      let tag = try extra.uint16()
      var field = ByteReader(try extra.bytes(Int(try extra.uint16())))
      guard tag == 1 else { continue }
      if unpacked == 0xFFFF_FFFF { unpacked = try field.count64() }
      if packed == 0xFFFF_FFFF { packed = try field.count64() }
      if offset == 0xFFFF_FFFF { offset = try field.count64() }
    }
  }

  /// Behind the member's local header, whose name and extra field have lengths of their own.
  private static func dataRange(
    offset: Int, byteCount: Int, name: String, _ bytes: UnsafeRawBufferPointer
  ) throws -> Range<Int> {
    var reader = ByteReader(bytes)
    reader.position = min(offset, bytes.count)
    guard reader.remaining >= 30, try reader.uint32() == 0x0403_4B50 else {
      throw WeightsError(.malformed, "\(name.quoted) is not where the directory says")
    }
    try reader.skip(22)
    let nameLength = Int(try reader.uint16())
    let extraLength = Int(try reader.uint16())
    try reader.skip(nameLength + extraLength)
    guard byteCount <= reader.remaining else {
      throw WeightsError(
        .truncated, "\(name.quoted) promises \(byteCount) bytes, the file has \(reader.remaining) more")
    }
    return reader.position..<(reader.position + byteCount)
  }
}
