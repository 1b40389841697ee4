import AviaryTensors
import CZlib

extension ZipDirectory.Member {
  /// The member's bytes, unpacked and checked against its CRC-32; `file` is the whole zip file.
  ///
  /// Throws ``WeightsError`` when they are damaged. Never takes more memory than deflate could have packed into the file.
  func withUnpacked<Result>(
    from file: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    let packed = UnsafeRawBufferPointer(rebasing: file[range])
    do {
      switch method {
      case .stored:
        try check(packed)
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
        try inflate(packed, into: target)
        try check(UnsafeRawBufferPointer(target))
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

  /// Raw deflate: a zip member has no zlib header.
  private func inflate(_ packed: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws {
    var stream = z_stream()
    guard
      inflateInit2_(&stream, -MAX_WBITS, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw WeightsError(.malformed, "zlib does not start") }
    defer { inflateEnd(&stream) }
    // zlib counts in 32 bits: both sides are handed over in pieces.
    let piece = 1 << 30
    var consumed = 0
    var produced = 0
    var status = Z_OK
    while status == Z_OK {
      let input = min(piece, packed.count - consumed)
      // One byte beyond the promise shows a stream that is longer than promised.
      var excess: UInt8 = 0
      let room = min(piece, target.count - produced)
      (status, consumed, produced) = withUnsafeMutablePointer(to: &excess) { excess in
        stream.next_in = UnsafeMutablePointer(
          mutating: packed.baseAddress?.advanced(by: consumed).assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(input)
        stream.next_out =
          room == 0 ? excess : target.baseAddress!.advanced(by: produced).assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(max(room, 1))
        let status = CZlib.inflate(&stream, Z_NO_FLUSH)
        let written = max(room, 1) - Int(stream.avail_out)
        return (status, consumed + input - Int(stream.avail_in), produced + written)
      }
      guard produced <= target.count else {
        throw WeightsError(.malformed, "more than the promised \(target.count) bytes come out")
      }
    }
    guard status == Z_STREAM_END, produced == target.count else {
      throw WeightsError(.malformed, "\(produced) bytes come out instead of the promised \(target.count)")
    }
  }
}

/// The checksum of zip files.
enum CRC32 {
  static func of(_ bytes: UnsafeRawBufferPointer, continuing start: UInt32 = 0) -> UInt32 {
    UInt32(crc32_z(UInt(start), bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count))
  }
}
