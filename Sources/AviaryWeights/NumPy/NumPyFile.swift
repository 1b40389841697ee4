import AviaryTensors

/// Reads and writes NumPy arrays: `.npy` holds one, `.npz` several by name.
package enum NumPyFile {
  // MARK: One array

  /// The array in a `.npy` file, mapped where its bytes can stay as they are.
  ///
  /// Throws ``WeightsError`` for anything but a plain array of numbers or Booleans.
  package static func readArray(_ path: String) throws -> Tensor {
    try naming(path) {
      let file = FileWindow(try MappedFile(path: path))
      let header = try header(of: file)
      return try header.logical(
        header.format.tensor(
          in: file, at: header.dataStart, shape: header.storedShape, bigEndian: header.bigEndian))
    }
  }

  /// Adds the array that makes up `file` to `archive`.
  static func append(_ name: String, _ file: FileWindow, to archive: inout WeightArchive) throws {
    let header = try header(of: file)
    var stored = WeightArchive()
    try header.format.append(
      to: &stored, name, in: file, at: header.dataStart, shape: header.storedShape,
      bigEndian: header.bigEndian)
    try archive.append(name, from: stored, name, moving: header.fortranOrder ? header.move : nil)
  }

  private static func header(of file: FileWindow) throws -> NpyHeader {
    try file.withBytes { bytes in
      let header = try NpyHeader(bytes)
      try check(header, byteCount: bytes.count)
      return header
    }
  }

  private static func check(_ header: NpyHeader, byteCount: Int) throws {
    let found = byteCount - header.dataStart
    guard let expected = header.format.byteCount(of: header.shape) else {
      throw WeightsError(.malformed, "the shape \(header.shape) is not possible")
    }
    guard found >= expected else {
      throw WeightsError(
        .truncated, "\(header.shape.shapeText) \(header.format) needs \(expected) bytes, there are \(found)")
    }
    guard found == expected else {
      throw WeightsError(.malformed, "\(found - expected) bytes follow the array")
    }
  }

  /// Writes `tensor` as a `.npy` file, complete or not at all. bfloat16 goes out as `|V2`, as NumPy itself stores it.
  package static func writeArray(_ tensor: Tensor, to path: String) throws {
    try AtomicFile.write(to: path) { file in
      try file.append(NpyHeader.bytes(dtype: tensor.dtype, shape: tensor.shape))
      try tensor.withUnsafeBytes { try file.append($0) }
    }
  }

  // MARK: Several arrays

  /// The arrays of a `.npz` file by name.
  ///
  /// Throws ``WeightsError`` when a member is damaged or is not a plain array.
  package static func readArchive(_ path: String) throws -> WeightArchive {
    try naming(path) {
      let file = FileWindow(try MappedFile(path: path))
      return try readArchive(file, try ZipDirectory(file))
    }
  }

  /// The arrays of numbers; other members are listed in the metadata as `not_taken`.
  static func readArchive(_ file: FileWindow, _ directory: ZipDirectory) throws -> WeightArchive {
    var archive = WeightArchive()
    var others: [String] = []
    var reason: WeightsError?
    for member in directory.members where !member.name.hasSuffix("/") {
      guard member.isArray else {
        others.append(member.name)
        continue
      }
      do {
        try append(member, of: file, to: &archive)
      } catch let error as WeightsError where error.kind == .unsupported {
        // Names of classes, say, or Python objects.
        reason = reason ?? error
        others.append(member.name)
      }
    }
    if archive.isEmpty, let reason { throw reason }
    archive.leaveOut(others)
    return archive
  }

  private static func append(
    _ member: ZipDirectory.Member, of file: FileWindow, to archive: inout WeightArchive
  ) throws {
    let name = String(member.name.dropLast(4))
    @Sendable func single() throws -> WeightArchive {
      var archive = WeightArchive()
      let array = try member.unpacked(from: file)
      do {
        try append(name, array, to: &archive)
      } catch let error as WeightsError {
        throw error.inPart(member.name.quoted)
      }
      return archive
    }
    if member.method == .stored { return try archive.append(name, from: single(), name) }
    try archive.append(name, rereading: { try single()[name]! })
  }

  /// Writes the tensors of `archive` as a `.npz` file of stored arrays, complete or not at all.
  ///
  /// - Parameter floats: the type that floating-point tensors are stored in; nil keeps each one's own.
  package static func writeArchive(_ archive: WeightArchive, to path: String, floats: DType? = nil) throws {
    try AtomicFile.write(to: path) { file in
      var zip = ZipWriter(to: file)
      for name in archive.names {
        let type = archive.storedType(name, floats: floats)
        let header = NpyHeader.bytes(dtype: type, shape: archive.spec(name)!.shape)
        try header.withUnsafeBytes { header in
          try zip.add(name + ".npy") { write in
            try write(header)
            try archive.forEachPiece(of: name, as: type, write)
          }
        }
      }
      try zip.finish()
    }
  }
}

extension NpyHeader {
  /// The shape whose row-major order is the order of the file.
  fileprivate var storedShape: Shape { fortranOrder ? shape.reversed() : shape }

  /// From Fortran's order to ours.
  fileprivate var move: AxisMove {
    AxisMove(cut: storedShape, order: shape.indices.reversed(), merged: shape)
  }

  fileprivate func logical(_ tensor: Tensor) -> Tensor { fortranOrder ? move(tensor) : tensor }
}

extension ZipDirectory.Member {
  /// Whether the name says so. macOS puts a note of its own, called alike, beside each file that it packs.
  var isArray: Bool {
    name.hasSuffix(".npy") && !name.hasPrefix("__MACOSX/")
      && !name.split(separator: "/").last!.hasPrefix("._")
  }
}
