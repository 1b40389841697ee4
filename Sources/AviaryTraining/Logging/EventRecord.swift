/// A record of a TFRecord file: length, its checksum, data, their checksum.
struct EventRecord {
  let bytes: [UInt8]

  init(_ data: [UInt8]) {
    let length = UInt64(data.count).littleEndianBytes
    bytes = length + Self.masked(length).littleEndianBytes + data + Self.masked(data).littleEndianBytes
  }

  /// TensorFlow stores checksums turned and moved, since those of data with checksums in them are weak.
  static func masked(_ data: [UInt8]) -> UInt32 {
    let checksum = crc32c(data)
    return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
  }

  /// CRC-32C (Castagnoli), which zlib does not have.
  static func crc32c(_ data: [UInt8]) -> UInt32 {
    ~data.reduce(~0) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
  }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0x82F6_3B78 : 0) }
  }
}
