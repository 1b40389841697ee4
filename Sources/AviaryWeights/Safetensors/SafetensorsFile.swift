import AviaryTensors

/// Reads and writes safetensors files; the ones written are Aviary's portable format, see `PortableFormat.md`.
package enum SafetensorsFile {
  private static let alignment = 64

  // MARK: Reading

  /// The tensors of any safetensors file, mapped where the bytes are aligned and need no conversion.
  ///
  /// Throws ``WeightsError`` when the file cannot be read or does not keep the format's rules.
  package static func read(_ path: String) throws -> WeightArchive {
    try naming(path) { try read(FileWindow(try MappedFile(path: path))).archive }
  }

  /// The tensors, and the digest that a portable file carries.
  static func read(_ file: FileWindow) throws -> (archive: WeightArchive, digest: DataDigest?) {
    let header = try SafetensorsHeader(file)
    var archive = WeightArchive()
    for entry in header.entries {
      do {
        try entry.format.append(
          to: &archive, entry.name, in: file, at: entry.range.lowerBound, shape: entry.shape)
      } catch let error as WeightsError {
        throw error.inPart("tensor \(entry.name.quoted)")
      }
    }
    archive.metadata = header.metadata
    if let text = archive.metadata.removeValue(forKey: PortableMetadata.key) {
      let portable = try PortableMetadata(text: text)
      archive.portable = portable
      archive.keras = portable.keras
    }
    let digest = archive.portable?.dataSHA256.map {
      DataDigest($0, file.file, dataStart: header.dataStart)
    }
    return (archive, digest)
  }

  /// Reads all data and compares it with the digest in the metadata; throws ``WeightsError`` when they differ.
  ///
  /// Returns false for a file that carries no digest.
  @discardableResult public static func verify(_ path: String) throws -> Bool {
    try naming(path) {
      guard let digest = try read(FileWindow(try MappedFile(path: path))).digest else { return false }
      try digest.check()
      return true
    }
  }

  // MARK: Writing

  /// Writes `archive` as a portable file, complete or not at all.
  ///
  /// - Parameter floats: the type that floating-point tensors are stored in; nil keeps each one's own.
  /// - Throws: ``WeightsError`` when the file cannot be written.
  package static func write(_ archive: WeightArchive, to path: String, floats: DType? = nil) throws {
    require(floats?.isFloatingPoint ?? true, "floating-point tensors cannot be stored as \(floats!)")
    try write(archive, to: path, floats: floats, described: true)
  }

  /// Writes `archive` as a plain safetensors file, without Aviary's metadata, complete or not at all.
  ///
  /// Parameters and errors are those of ``write(_:to:floats:)``.
  package static func writePlain(_ archive: WeightArchive, to path: String, floats: DType? = nil) throws {
    try write(archive, to: path, floats: floats, described: false)
  }

  private static func write(
    _ archive: WeightArchive, to path: String, floats: DType?, described: Bool
  ) throws {
    require(floats?.isFloatingPoint ?? true, "floating-point tensors cannot be stored as \(floats!)")
    guard archive.spec("__metadata__") == nil else {
      throw WeightsError(
        .unsupported, "a safetensors file cannot hold a tensor called \"__metadata__\"", file: path)
    }
    let tensors = placed(archive, floats: floats)
    func header(digest: String) throws -> [UInt8] {
      guard described else { return headerBytes(tensors, ["format": "pt"]) }
      var portable = archive.portable ?? PortableMetadata()
      portable.keras = archive.keras
      portable.dataSHA256 = digest
      var metadata = archive.metadata
      metadata[PortableMetadata.key] = try JSONValue.text(of: portable)
      return headerBytes(tensors, metadata)
    }
    // Every tensor is made once: the digest, which is as long as its placeholder, is filled in at the end.
    let placeholder = try header(digest: String(repeating: "0", count: 64))
    try AtomicFile.write(to: path) { file in
      try file.append(placeholder)
      let digest = Digest()
      for tensor in tensors {
        try archive.forEachPiece(of: tensor.name, as: tensor.spec.dtype) { bytes in
          digest.update(bytes)
          try file.append(bytes)
        }
      }
      if described { try file.overwrite(try header(digest: digest.finished()), at: 0) }
    }
  }

  private struct Placed {
    let name: String
    /// As it will be stored.
    let spec: TensorSpec
    var byteCount: Int { spec.shape.elementCount * spec.dtype.byteCount }
  }

  /// Tensors that are a multiple of 64 bytes long come first, so that each begins at one; the rest by falling element size, so that
  /// each is aligned for its type.
  private static func placed(_ archive: WeightArchive, floats: DType?) -> [Placed] {
    let all = archive.names.map { name in
      Placed(
        name: name,
        spec: TensorSpec(archive.spec(name)!.shape, archive.storedType(name, floats: floats)))
    }
    let rest = all.filter { $0.byteCount % alignment != 0 }
    return all.filter { $0.byteCount % alignment == 0 }
      + [8, 4, 2, 1].flatMap { size in rest.filter { $0.spec.dtype.byteCount == size } }
  }

  private static func headerBytes(_ tensors: [Placed], _ metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    let strings = metadata.sorted { $0.key < $1.key }
      .map { "\(JSONScanner.quote($0.key)):\(JSONScanner.quote($0.value))" }
    members.append("\"__metadata__\":{\(strings.joined(separator: ","))}")
    var offset = 0
    for tensor in tensors {
      let code = ElementFormat(tensor.spec.dtype).safetensorsCode
      let shape = tensor.spec.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(JSONScanner.quote(tensor.name)):{\"dtype\":\"\(code)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(offset + tensor.byteCount)]}")
      offset += tensor.byteCount
    }
    var text = Array("{\(members.joined(separator: ","))}".utf8)
    let unpadded = 8 + text.count
    text += [UInt8](repeating: 0x20, count: (alignment - unpadded % alignment) % alignment)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
  }
}
