import AviaryTensors
import CZlib

extension ZipDirectory.Member {
  /// The member's bytes, unpacked and checked against its CRC-32; `file` is the whole zip file.
  ///
  /// Throws ``WeightsError`` when they are damaged. Never takes more memory than deflate could have packed into the file.
  /// - Parameter isChecked: false for members whose checksum was never computed.
  func withUnpacked<Result>(
    from file: UnsafeRawBufferPointer, isChecked: Bool = true,
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    let packed = UnsafeRawBufferPointer(rebasing: file[range])
    do {
      switch method {
      case .stored:
        if isChecked { try check(packed) }
        return try body(packed)
      case .deflated:
        // Deflate gains at most a factor of 1032, so a larger promise is a lie and nothing is allocated for it.
        guard byteCount <= packed.count * 1032 + 64 else {
          throw WeightsError(.refused, "\(packed.count) bytes cannot unpack to the promised \(byteCount)")
        }
        guard byteCount <= 4 << 30 || byteCount <= packed.count * 100 else {
          throw WeightsError(.refused, "\(packed.count) bytes unpack to \(byteCount): a zip bomb")
        }
        let unpacked = UnsafeMutableRawBufferPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
        defer { unpacked.deallocate() }
        let target = UnsafeMutableRawBufferPointer(rebasing: unpacked[..<byteCount])
        try Inflate.unpack(packed, into: target, wrapper: .none)
        if isChecked { try check(UnsafeRawBufferPointer(target)) }
        return try body(UnsafeRawBufferPointer(target))
      }
    } catch let error as WeightsError {
      throw error.inPart(name.quoted)
    }
  }

  private func check(_ bytes: UnsafeRawBufferPointer) throws {
    guard CRC32.of(bytes) == crc32 else {
      throw WeightsError(.malformed, "the bytes are damaged: their CRC-32 does not match")
    }
  }
}

/// The checksum of zip files.
enum CRC32 {
  static func of(_ bytes: UnsafeRawBufferPointer, continuing start: UInt32 = 0) -> UInt32 {
    UInt32(crc32_z(UInt(start), bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count))
  }
}
