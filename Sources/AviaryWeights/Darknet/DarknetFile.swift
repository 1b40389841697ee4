import AviaryTensors

/// What stands before the numbers of a darknet `.weights` file.
package struct DarknetHeader: Sendable, Hashable {
  /// The version of the format.
  package var major: Int32
  package var minor: Int32
  package var revision: Int32
  /// Pictures that the network was trained on.
  package var seen: UInt64

  /// That of today's files: version 0.2.5.
  package init(major: Int32 = 0, minor: Int32 = 2, revision: Int32 = 5, seen: UInt64 = 0) {
    (self.major, self.minor, self.revision, self.seen) = (major, minor, revision, seen)
  }

  /// Whether the number of pictures has eight bytes: since version 0.2.
  var isWide: Bool { Int(major) * 10 + Int(minor) >= 2 }

  /// Bytes before the first number.
  var byteCount: Int { isWide ? 20 : 16 }
}

/// Reads and writes darknet's `.weights`: a header, then float32 numbers without names, shapes or lengths, whose meaning the network's `.cfg`
/// alone knows (pjreddie/darknet and AlexeyAB/darknet, `parser.c`: `load_weights_upto`, `save_weights_upto`).
package enum DarknetFile {
  /// What the only tensor is called.
  package static let stream = "weights"

  /// Whether a file begins so: darknet has had the versions 0.1 and 0.2 with revisions below 16.
  static func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= 12 else { return false }
    func number(_ place: Int) -> Int32 {
      Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * place, as: Int32.self))
    }
    return number(0) == 0 && 1...2 ~= number(1) && 0..<16 ~= number(2)
  }

  /// All numbers as one tensor, mapped, with the header beside it.
  ///
  /// Throws ``WeightsError`` when the file ends within the header or within a number.
  static func read(_ file: FileWindow) throws -> WeightArchive {
    let header = try file.withBytes { bytes in
      var reader = ByteReader(bytes)
      let version = try (0..<3).map { _ in Int32(bitPattern: try reader.uint32()) }
      var header = DarknetHeader(major: version[0], minor: version[1], revision: version[2])
      header.seen = header.isWide ? try reader.uint64() : UInt64(try reader.uint32())
      return header
    }
    let rest = file.count - header.byteCount
    guard rest % 4 == 0 else {
      throw WeightsError(
        .truncated, "\(rest) bytes follow the header, which are not a whole number of float32 values")
    }
    var archive = WeightArchive()
    try ElementFormat.float32.append(
      to: &archive, stream, in: file, at: header.byteCount, shape: [rest / 4])
    archive.darknet = header
    archive.metadata["darknet_version"] = "\(header.major).\(header.minor).\(header.revision)"
    archive.metadata["darknet_seen"] = "\(header.seen)"
    return archive
  }

  /// Writes the numbers of an archive's tensors, one after another in its order, complete or not at all.
  ///
  /// Throws ``WeightsError`` for an archive without a header: its order would be any but that of a `.cfg`.
  static func write(_ archive: WeightArchive, to path: String) throws {
    guard let header = archive.darknet else {
      throw WeightsError(
        .unsupported, "a darknet file holds numbers in the order of a .cfg, which these tensors are not in",
        file: path)
    }
    try AtomicFile.write(to: path) { file in
      var start: [UInt8] = []
      for number in [header.major, header.minor, header.revision] { start.append(littleEndian: number) }
      if header.isWide {
        start.append(littleEndian: header.seen)
      } else {
        start.append(littleEndian: UInt32(clamping: header.seen))
      }
      try file.append(start)
      for name in archive.names {
        try archive.forEachPiece(of: name, as: .float32) { try file.append($0) }
      }
    }
  }
}

extension [UInt8] {
  fileprivate mutating func append(littleEndian number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }
}
