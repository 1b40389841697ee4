import AviaryTensors

/// The first bytes of an HDF5 file, read before libhdf5 is: whether it is one, and whether it is complete.
enum HDF5Superblock {
  static let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Throws ``WeightsError`` when `bytes` is not an HDF5 file or is shorter than it says.
  static func check(_ bytes: UnsafeRawBufferPointer) throws {
    var reader = ByteReader(bytes)
    guard bytes.count >= 8, try reader.bytes(8).elementsEqual(signature) else {
      throw WeightsError(.malformed, "it does not begin like an HDF5 file")
    }
    let version = try reader.bytes(1)[0]
    switch version {
    case 0, 1:
      try reader.skip(4)
      try checkWidths(try reader.bytes(2))
      try reader.skip(version == 0 ? 9 : 13)
      try reader.skip(16)
    case 2, 3:
      try checkWidths(try reader.bytes(2))
      try reader.skip(17)
    default:
      throw WeightsError(.unsupported, "version \(version) of the HDF5 superblock is not known")
    }
    let end = try reader.uint64()
    guard end <= UInt64(bytes.count) else {
      throw WeightsError(.truncated, "the superblock promises \(end) bytes, the file has \(bytes.count)")
    }
  }

  private static func checkWidths(_ widths: UnsafeRawBufferPointer) throws {
    guard widths[0] == 8, widths[1] == 8 else {
      throw WeightsError(.unsupported, "addresses of \(widths[0]) and lengths of \(widths[1]) bytes")
    }
  }
}
