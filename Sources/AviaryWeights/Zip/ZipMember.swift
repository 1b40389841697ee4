import AviaryTensors
import CZlib

extension ZipDirectory.Member {
  /// The member as a file of its own: a part of the zip file when it is stored, else unpacked into memory; checked against its CRC-32.
  ///
  /// Throws ``WeightsError`` when it is damaged. Never takes more memory than deflate could have packed into the file.
  /// - Parameter isChecked: false for members whose checksum was never computed.
  func unpacked(from file: FileWindow, isChecked: Bool = true) throws -> FileWindow {
    let packed = file.part(range)
    do {
      switch method {
      case .stored:
        if isChecked {
          try packed.withBytes(check)
          packed.releasePages()
        }
        return packed
      case .deflated:
        // Deflate gains at most a factor of 1032, so a larger promise is a lie and nothing is allocated for it.
        guard byteCount <= packed.count * 1032 + 64 else {
          throw WeightsError(.refused, "\(packed.count) bytes cannot unpack to the promised \(byteCount)")
        }
        let unpacked = try MappedFile(path: name, count: byteCount) { target in
          try packed.withBytes { try Inflate.unpack($0, into: target, wrapper: .none) }
          if isChecked { try check(UnsafeRawBufferPointer(target)) }
        }
        return FileWindow(unpacked, 0..<byteCount, file.budget)
      }
    } catch let error as WeightsError {
      throw error.inPart(name.quoted)
    } catch let failure as MappedFile.Failure {
      throw WeightsError(.malformed, "\(name.quoted): \(failure.reason)")
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
