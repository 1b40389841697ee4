import CZlib

/// Deflate, undone by zlib into exactly as many bytes as were promised.
enum Inflate {
  /// What surrounds the packed bytes.
  enum Wrapper {
    /// Nothing, as in zip files.
    case none
    /// A header and a checksum, as in HDF5 files.
    case zlib
  }

  /// Fills `target`; throws ``WeightsError`` when fewer or more bytes come out, or the packed bytes are damaged.
  static func unpack(
    _ packed: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, wrapper: Wrapper
  ) throws {
    var stream = z_stream()
    let window = wrapper == .none ? -MAX_WBITS : MAX_WBITS
    guard inflateInit2_(&stream, window, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw WeightsError(.unsupported, "zlib does not start")
    }
    defer { inflateEnd(&stream) }
    // zlib counts in 32 bits: both sides are handed over in pieces.
    let piece = 1 << 30
    var consumed = 0
    var produced = 0
    var status = Z_OK
    while status == Z_OK {
      let input = min(piece, packed.count - consumed)
      let room = min(piece, target.count - produced)
      // One byte beyond the promise shows a stream that is longer than promised.
      var excess: UInt8 = 0
      status = withUnsafeMutablePointer(to: &excess) { excess in
        stream.next_in = UnsafeMutablePointer(
          mutating: packed.baseAddress?.advanced(by: consumed).assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(input)
        stream.next_out =
          room == 0 ? excess : target.baseAddress!.advanced(by: produced).assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(max(room, 1))
        return inflate(&stream, Z_NO_FLUSH)
      }
      consumed += input - Int(stream.avail_in)
      produced += max(room, 1) - Int(stream.avail_out)
      guard produced <= target.count else {
        throw WeightsError(.malformed, "more than the promised \(target.count) bytes come out")
      }
    }
    guard status == Z_STREAM_END, produced == target.count else {
      throw WeightsError(.malformed, "\(produced) bytes come out instead of the promised \(target.count)")
    }
  }
}
