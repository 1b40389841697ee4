/// Writes a zip file of stored members, with ZIP64 fields always, as NumPy does.
struct ZipWriter {
  private let file: AtomicFile
  private var directory: [UInt8] = []
  private var offset = 0
  private var count = 0

  init(to file: AtomicFile) { self.file = file }

  /// Adds a member whose bytes `body` hands over, a piece after another.
  mutating func add(
    _ name: String, _ body: (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws {
    let nameBytes = Array(name.utf8)
    guard nameBytes.count <= 0xFFFF else {
      throw WeightsError(.unsupported, "the name \(name.quoted) is too long for a zip file")
    }
    // The header stands before the bytes and tells their checksum: it is written again when that is known.
    let header = local(nameBytes, crc: 0, size: 0)
    try file.append(header)
    var crc: UInt32 = 0
    var size = 0
    try body { piece in
      crc = CRC32.of(piece, continuing: crc)
      size += piece.count
      try file.append(piece)
    }
    try file.overwrite(local(nameBytes, crc: crc, size: size), at: offset)
    directory +=
      Self.bytes(UInt32(0x0201_4B50)) + Self.bytes(UInt16(45)) + common(crc)
      + Self.bytes(UInt16(nameBytes.count)) + Self.bytes(UInt16(28)) + Self.bytes(UInt16(0))
      + [UInt8](repeating: 0, count: 8) + Self.bytes(UInt32.max) + nameBytes + Self.bytes(UInt16(1))
      + Self.bytes(UInt16(24)) + sizes(size) + Self.bytes(UInt64(offset))
    offset += header.count + size
    count += 1
  }

  private func local(_ name: [UInt8], crc: UInt32, size: Int) -> [UInt8] {
    Self.bytes(UInt32(0x0403_4B50)) + common(crc) + Self.bytes(UInt16(name.count)) + Self.bytes(UInt16(20))
      + name + Self.bytes(UInt16(1)) + Self.bytes(UInt16(16)) + sizes(size)
  }

  /// Version, flags, method, time, checksum, and sizes that point to the ZIP64 field.
  private func common(_ crc: UInt32) -> [UInt8] {
    Self.bytes(UInt16(45)) + Self.bytes(UInt16(0x0800)) + Self.bytes(UInt16(0))
      + Self.bytes(UInt32(0x0021_0000)) + Self.bytes(crc) + Self.bytes(UInt32.max) + Self.bytes(UInt32.max)
  }

  /// Packed and unpacked.
  private func sizes(_ size: Int) -> [UInt8] { Self.bytes(UInt64(size)) + Self.bytes(UInt64(size)) }

  /// Writes the directory; nothing can be added after it.
  func finish() throws {
    let number = Self.bytes(UInt64(count))
    let place = Self.bytes(UInt64(directory.count)) + Self.bytes(UInt64(offset))
    let end64 =
      Self.bytes(UInt32(0x0606_4B50)) + Self.bytes(UInt64(44)) + Self.bytes(UInt16(45))
      + Self.bytes(UInt16(45))
      + Self.bytes(UInt64(0)) + number + number + place
    let locator =
      Self.bytes(UInt32(0x0706_4B50)) + Self.bytes(UInt32(0))
      + Self.bytes(UInt64(offset + directory.count)) + Self.bytes(UInt32(1))
    let end =
      Self.bytes(UInt32(0x0605_4B50)) + Self.bytes(UInt32(0)) + Self.bytes(UInt32.max)
      + Self.bytes(UInt32.max)
      + Self.bytes(UInt32.max) + Self.bytes(UInt16(0))
    try file.append(directory + end64 + locator + end)
  }

  private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
