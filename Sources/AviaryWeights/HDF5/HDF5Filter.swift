/// A step that was applied to chunks before they were stored.
enum HDF5Filter {
  case deflate
  /// First bytes of all elements, then second bytes, …
  case shuffle(elementSize: Int)
  /// Four bytes of checksum at the end.
  case fletcher32

  static func pipeline(_ reader: ByteReader) throws -> [HDF5Filter] {
    var reader = reader
    let version = try reader.uint8()
    let count = try reader.uint8()
    guard version == 1 || version == 2, count <= 32 else {
      throw WeightsError(.malformed, "its list of filters is damaged")
    }
    if version == 1 { try reader.skip(6) }
    return try (0..<count).map { _ in
      let code = try reader.uint16()
      let nameLength = version == 1 || code >= 256 ? Int(try reader.uint16()) : 0
      try reader.skip(2)
      let valueCount = Int(try reader.uint16())
      try reader.skip(version == 1 ? (nameLength + 7) / 8 * 8 : nameLength)
      let values = try (0..<valueCount).map { _ in Int(try reader.uint32()) }
      if version == 1, valueCount % 2 == 1 { try reader.skip(4) }
      switch code {
      case 1: return .deflate
      case 2: return .shuffle(elementSize: values.first ?? 1)
      case 3: return .fletcher32
      default: throw WeightsError(.unsupported, "it is compressed by filter \(code), which is not read")
      }
    }
  }

  /// The bytes before the filter.
  func undone(_ bytes: [UInt8], unpackedSize: Int) throws -> [UInt8] {
    switch self {
    case .deflate:
      return try [UInt8](unsafeUninitializedCapacity: unpackedSize) { buffer, count in
        try bytes.withUnsafeBytes { packed in
          try Inflate.unpack(packed, into: UnsafeMutableRawBufferPointer(buffer), wrapper: .zlib)
        }
        count = unpackedSize
      }
    case .shuffle(let size):
      guard size > 0 else { throw WeightsError(.malformed, "its list of filters is damaged") }
      let count = bytes.count / size
      var result = bytes
      for index in 0..<count {
        for byte in 0..<size { result[index * size + byte] = bytes[byte * count + index] }
      }
      return result
    case .fletcher32: return Array(bytes.dropLast(4))
    }
  }
}
