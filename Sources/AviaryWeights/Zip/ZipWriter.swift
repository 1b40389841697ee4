/// Writes a zip file of stored members, with ZIP64 fields always, as NumPy does.
struct ZipWriter {
  private let file: AtomicFile
  private var directory: [UInt8] = []
  private var offset = 0
  private var count = 0

  init(to file: AtomicFile) { self.file = file }

  /// Adds a member made of `parts` one after another.
  mutating func add(_ name: String, _ parts: [UnsafeRawBufferPointer]) throws {
    let size = parts.reduce(0) { $0 + $1.count }
    let crc = parts.reduce(UInt32(0)) { CRC32.of($1, continuing: $0) }
    let nameBytes = Array(name.utf8)
    guard nameBytes.count <= 0xFFFF else {
      throw WeightsError(.unsupported, "the name \(name.quoted) is too long for a zip file")
    }
    let versionFlagsMethodTime: [UInt8] =
      Self.bytes(UInt16(45)) + Self.bytes(UInt16(0x0800)) + Self.bytes(UInt16(0))
      + Self.bytes(UInt32(0x0021_0000))
    let crcAndSizes = Self.bytes(crc) + Self.bytes(UInt32.max) + Self.bytes(UInt32.max)
    let nameLength = Self.bytes(UInt16(nameBytes.count))
    let sizes64 = Self.bytes(UInt64(size)) + Self.bytes(UInt64(size))

    let local =
      Self.bytes(UInt32(0x0403_4B50)) + versionFlagsMethodTime + crcAndSizes + nameLength
      + Self.bytes(UInt16(20)) + nameBytes + Self.bytes(UInt16(1)) + Self.bytes(UInt16(16)) + sizes64
    directory +=
      Self.bytes(UInt32(0x0201_4B50)) + Self.bytes(UInt16(45)) + versionFlagsMethodTime + crcAndSizes
      + nameLength + Self.bytes(UInt16(28)) + Self.bytes(UInt16(0)) + [UInt8](repeating: 0, count: 8)
    directory +=
      Self.bytes(UInt32.max) + nameBytes + Self.bytes(UInt16(1)) + Self.bytes(UInt16(24)) + sizes64
      + Self.bytes(UInt64(offset))
    try file.append(local)
    for part in parts { try file.append(part) }
    offset += local.count + size
    count += 1
  }

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
