import CZlib

@testable import AviaryWeights

/// Zip files with compressed members, which the library reads and does not write.
enum DeflatedZip {
  /// A file of one member, which unpacks to `count` bytes: `start` and then zeros.
  static func bytes(_ name: String, start: [UInt8], zeros: Int) -> [UInt8] {
    bytes([(name, member(start: start, zeros: zeros))])
  }

  struct Member {
    let packed: [UInt8]
    let crc: UInt32
    var count: Int
  }

  /// - Parameter filler: what there is instead of zeros.
  static func member(start: [UInt8], zeros: Int, filler: UInt8 = 0) -> Member {
    var stream = z_stream()
    deflateInit2_(
      &stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY, zlibVersion(),
      Int32(MemoryLayout<z_stream>.size))
    defer { deflateEnd(&stream) }
    var packed: [UInt8] = []
    var crc = crc32(0, nil, 0)
    func add(_ bytes: [UInt8], _ flush: Int32) {
      crc = crc32(crc, bytes, UInt32(bytes.count))
      var bytes = bytes
      var room = [UInt8](repeating: 0, count: 1 << 16)
      bytes.withUnsafeMutableBufferPointer { bytes in
        stream.next_in = bytes.baseAddress
        stream.avail_in = UInt32(bytes.count)
        repeat {
          room.withUnsafeMutableBufferPointer { room in
            stream.next_out = room.baseAddress
            stream.avail_out = UInt32(room.count)
            deflate(&stream, flush)
          }
          packed += room.prefix(room.count - Int(stream.avail_out))
        } while stream.avail_out == 0
      }
    }
    add(start, Z_NO_FLUSH)
    let piece = [UInt8](repeating: filler, count: 1 << 20)
    for _ in 0..<(zeros / piece.count) { add(piece, Z_NO_FLUSH) }
    add([UInt8](repeating: filler, count: zeros % piece.count), Z_FINISH)
    return Member(packed: packed, crc: UInt32(crc), count: start.count + zeros)
  }

  static func bytes(_ members: [(name: String, member: Member)]) -> [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for (name, member) in members {
      let common =
        le(UInt16(20)) + le(UInt16(0)) + le(UInt16(8)) + le(UInt32(0x0021_0000)) + le(member.crc)
        + le(UInt32(member.packed.count)) + le(UInt32(truncatingIfNeeded: member.count))
        + le(UInt16(name.utf8.count)) + le(UInt16(0))
      directory +=
        le(UInt32(0x0201_4B50)) + le(UInt16(20)) + common + [UInt8](repeating: 0, count: 10)
        + le(UInt32(file.count)) + name.utf8
      file += le(UInt32(0x0403_4B50)) + common + name.utf8 + member.packed
    }
    let count = le(UInt16(members.count))
    return file + directory + le(UInt32(0x0605_4B50)) + le(UInt32(0)) + count + count
      + le(UInt32(directory.count)) + le(UInt32(file.count)) + le(UInt16(0))
  }

  private static func le(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
