import AviaryTensors

/// Reads and writes safetensors files; the ones written are Aviary's portable format, see `PortableFormat.md`.
public enum SafetensorsFile {
  private static let alignment = 64

  // MARK: Reading

  /// The tensors of any safetensors file, mapped where the bytes are aligned and need no conversion.
  ///
  /// Throws ``WeightsError`` when the file cannot be read or does not keep the format's rules.
  public static func read(_ path: String) throws -> WeightArchive {
    try naming(path) { try read(try MappedFile(path: path)) }
  }

  static func read(_ file: MappedFile) throws -> WeightArchive {
    let header = try file.withBytes { try SafetensorsHeader($0) }
    var archive = WeightArchive()
    for entry in header.entries {
      do {
        let tensor = try entry.format.tensor(in: file, at: entry.range.lowerBound, shape: entry.shape)
        try archive.append(entry.name, tensor)
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
    return archive
  }

  /// Reads all data and compares it with the digest in the metadata; throws ``WeightsError`` when they differ.
  ///
  /// Returns false for a file that carries no digest.
  @discardableResult public static func verify(_ path: String) throws -> Bool {
    try naming(path) {
      let file = try MappedFile(path: path)
      guard let expected = try read(file).portable?.dataSHA256 else { return false }
      let found = try file.withBytes { bytes in
        let start = try SafetensorsHeader(bytes).dataStart
        return Digest.hex(of: UnsafeRawBufferPointer(rebasing: bytes[start...]))
      }
      guard found == expected else {
        throw WeightsError(.malformed, "the data is damaged: its SHA-256 is \(found), not \(expected)")
      }
      return true
    }
  }

  // MARK: Writing

  /// Writes `archive` as a portable file, complete or not at all.
  ///
  /// - Parameter floats: the type that floating-point tensors are stored in; nil keeps each one's own.
  /// - Throws: ``WeightsError`` when the file cannot be written.
  public static func write(_ archive: WeightArchive, to path: String, floats: DType? = nil) throws {
    precondition(floats?.isFloatingPoint ?? true, "floating-point tensors cannot be stored as \(floats!)")
    guard archive["__metadata__"] == nil else {
      throw WeightsError(
        .unsupported, "a safetensors file cannot hold a tensor called \"__metadata__\"", file: path)
    }
    let tensors = placed(archive.entries, floats: floats)
    let digest = Digest()
    for (tensor, dtype) in tensors.map({ ($0.tensor, $0.dtype) }) {
      tensor.cast(to: dtype).withUnsafeBytes { digest.update($0) }
    }
    var portable = archive.portable ?? PortableMetadata()
    portable.keras = archive.keras
    portable.dataSHA256 = digest.finished()
    var metadata = archive.metadata
    metadata[PortableMetadata.key] = try JSONValue.text(of: portable)
    let header = headerBytes(tensors, metadata)
    try AtomicFile.write(to: path) { file in
      try file.append(header)
      for tensor in tensors {
        try tensor.tensor.cast(to: tensor.dtype).withUnsafeBytes { try file.append($0) }
      }
    }
  }

  private struct Placed {
    let name: String
    let tensor: Tensor
    let dtype: DType
    var byteCount: Int { tensor.count * dtype.byteCount }
  }

  /// Tensors that are a multiple of 64 bytes long come first, so that each begins at one; the rest by falling element size, so that
  /// each is aligned for its type.
  private static func placed(
    _ entries: [(name: String, tensor: Tensor)], floats: DType?
  ) -> [Placed] {
    let all = entries.map { name, tensor in
      Placed(
        name: name, tensor: tensor,
        dtype: tensor.dtype.isFloatingPoint ? floats ?? tensor.dtype : tensor.dtype)
    }
    let rest = all.filter { $0.byteCount % alignment != 0 }
    return all.filter { $0.byteCount % alignment == 0 }
      + [8, 4, 2, 1].flatMap { size in rest.filter { $0.dtype.byteCount == size } }
  }

  private static func headerBytes(_ tensors: [Placed], _ metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    let strings = metadata.sorted { $0.key < $1.key }
      .map { "\(JSONScanner.quote($0.key)):\(JSONScanner.quote($0.value))" }
    members.append("\"__metadata__\":{\(strings.joined(separator: ","))}")
    var offset = 0
    for tensor in tensors {
      let code = ElementFormat(tensor.dtype).safetensorsCode
      let shape = tensor.tensor.shape.map(String.init).joined(separator: ",")
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
