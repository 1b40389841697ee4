/// A step that was applied to chunks before they were stored.
enum HDF5Filter {
  case deflate
  /// First bytes of all elements, then second bytes, …
  case shuffle(elementSize: Int)
  /// A checksum of four bytes at the end (``Fletcher32``).
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
    case .fletcher32:
      guard bytes.count >= 4 else { throw WeightsError(.truncated, "a chunk is too short for its checksum") }
      let data = Array(bytes.dropLast(4))
      guard Fletcher32.matches(data, stored: bytes.suffix(4)) else {
        throw WeightsError(.malformed, "the bytes of a chunk are damaged: their Fletcher-32 does not match")
      }
      return data
    }
  }
}

/// The checksum of HDF5's chunks (J. G. Fletcher, 1982): two sums of 16-bit words, here with the high byte first, modulo 2¹⁶ − 1.
enum Fletcher32 {
  static func of(_ bytes: [UInt8]) -> UInt32 {
    var (first, second) = (UInt32(0), UInt32(0))
    // So many words keep both sums below 2³².
    for block in stride(from: 0, to: bytes.count, by: 720) {
      for place in stride(from: block, to: min(block + 720, bytes.count), by: 2) {
        let low = place + 1 < bytes.count ? bytes[place + 1] : 0
        first += UInt32(bytes[place]) << 8 | UInt32(low)
        second += first
      }
      first = folded(first)
      second = folded(second)
    }
    return folded(second) << 16 | folded(first)
  }

  private static func folded(_ sum: UInt32) -> UInt32 { sum & 0xFFFF + sum >> 16 }

  /// Whether the four bytes that a file stores are the checksum. Before 1.6.3 libhdf5 swapped the bytes of each half.
  static func matches(_ bytes: [UInt8], stored: some Sequence<UInt8>) -> Bool {
    let sum = of(bytes)
    let swapped = (sum & 0x00FF_00FF) << 8 | (sum >> 8) & 0x00FF_00FF
    return [sum, swapped].contains { sum in
      (0..<4).map { UInt8(truncatingIfNeeded: sum >> ($0 * 8)) }.elementsEqual(stored)
    }
  }
}
