import AviaryTensors
import Foundation

/// A file of weights in any format that is known, recognised by its first bytes and never by its name.
public struct WeightFile: Sendable {
  /// Where the file lies, or the index of several files.
  public let path: String
  /// What the content was recognised as, whatever the name's ending.
  public let format: WeightFormat
  /// The tensors, called as the model itself calls them: prefixes of wrappers around it are taken off.
  public let archive: WeightArchive
  /// Bytes of the file.
  public let byteCount: Int
  /// The file, or those of an index, and the digests that they carry.
  private let parts: [Part]

  private struct Part: Sendable {
    let file: MappedFile
    let digest: DataDigest?
  }

  /// Reads the weights at `path`, which may be an index of several files or the folder that holds it.
  ///
  /// Throws ``WeightsError``, which names the file: unreadable, truncated, malformed, refused, or of a format that is
  /// recognised but not supported.
  public static func open(_ path: String) throws -> WeightFile {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    let path = isFolder.boolValue ? try ShardIndex.file(inFolder: path) : path
    return try naming(path) {
      let file = try MappedFile(path: path)
      guard try file.withBytes(container) == .index else { return try readFile(file, path) }
      let shards = try ShardReader.read(file.withBytes { Array($0) }, at: path) { path in
        try naming(path) { try readFile(try MappedFile(path: path), path) }
      }
      return WeightFile(
        path: path, format: shards.format, archive: shards.archive, byteCount: shards.byteCount,
        parts: shards.files.flatMap(\.parts))
    }.unwrapped()
  }

  private static func readFile(_ file: MappedFile, _ path: String) throws -> WeightFile {
    let (format, archive, digest) = try read(FileWindow(file))
    return WeightFile(
      path: path, format: format, archive: archive, byteCount: file.count,
      parts: [Part(file: file, digest: digest)])
  }

  /// With the names that the model itself has.
  private func unwrapped() throws -> WeightFile {
    WeightFile(
      path: path, format: format, archive: try archive.withoutWrappers(), byteCount: byteCount,
      parts: parts)
  }

  /// Throws ``WeightsError`` when the data is not what a digest in the file says. Who copies or converts a file has to ask first: the digest
  /// of the copy would vouch for the damage.
  ///
  /// Reads all data the first time.
  public func requireIntact() throws {
    for part in parts { try part.digest?.check() }
  }

  /// Throws ``WeightsError`` when the file was written to or cut since it was opened: who has read it then holds a part of this and a part of
  /// that.
  public func requireUnchanged() throws {
    for part in parts where part.file.hasChanged {
      throw WeightsError(.unreadable, "the file changed while it was read", file: part.file.path)
    }
  }

  /// Whether the data is what the digest in the file says; nil for a file without one.
  var isIntact: Bool? {
    parts.allSatisfy { $0.digest == nil } ? nil : (try? requireIntact()) != nil
  }

  /// Writes `archive` in one of ``WeightFormat/writable``, complete or not at all; a name whose ending promises another format is refused.
  ///
  /// - Parameter floats: the type floating-point tensors are stored in; nil keeps each one's own.
  public static func write(
    _ archive: WeightArchive, to path: String, as format: WeightFormat, floats: DType? = nil
  ) throws {
    try format.requireEnding(of: path)
    switch format {
    case .portable: try SafetensorsFile.write(archive, to: path, floats: floats)
    case .safetensors: try SafetensorsFile.writePlain(archive, to: path, floats: floats)
    case .npz: try NumPyFile.writeArchive(archive, to: path, floats: floats)
    case .kerasWeights: try KerasLegacyWriter.write(archive, to: path, floats: floats)
    case .kerasPaths: try KerasPathWriter.write(archive, to: path, floats: floats)
    case .darknet:
      guard floats ?? .float32 == .float32 else {
        throw WeightsError(
          .unsupported, "a darknet file holds float32 values alone, not \(floats!)", file: path)
      }
      try DarknetFile.write(archive, to: path)
    default: throw WeightsError(.unsupported, "\(format.summary) is not a format that is written", file: path)
    }
  }

  /// As ``write(_:to:as:floats:)``, once `check` has looked at what was written, under a name for the time being, and thrown nothing.
  public static func write<Result>(
    _ archive: WeightArchive, to path: String, as format: WeightFormat, floats: DType? = nil,
    check: (_ temporaryPath: String) throws -> Result
  ) throws -> Result {
    var result: Result?
    try AtomicFile.write(to: path) { file in
      do {
        try write(archive, to: file.temporaryPath, as: format, floats: floats)
        result = try check(file.temporaryPath)
      } catch let error as WeightsError where error.file == file.temporaryPath {
        throw WeightsError(error.kind, error.reason, file: path)
      }
    }
    return result!
  }

  // MARK: Recognition

  private static func read(
    _ file: FileWindow
  ) throws -> (format: WeightFormat, archive: WeightArchive, digest: DataDigest?) {
    switch try file.withBytes(container) {
    case .hdf5:
      let archive = try HDF5Reader.read(file)
      let format: WeightFormat =
        switch archive.keras?.layout {
        case .legacyWeights: .kerasWeights
        case .legacyModel: .kerasModel
        case .attributePaths: .kerasPaths
        case nil: .hdf5
        }
      return (format, archive, nil)
    case .safetensors:
      let (archive, digest) = try SafetensorsFile.read(file)
      return (archive.portable == nil ? .safetensors : .portable, archive, digest)
    case .npy:
      var archive = WeightArchive()
      try NumPyFile.append("array", file, to: &archive)
      return (.npy, archive, nil)
    case .zip:
      let (format, archive) = try readZip(file)
      return (format, archive, nil)
    case .torchLegacy: return (.torchLegacy, try TorchLegacy.read(file), nil)
    case .darknet: return (.darknet, try DarknetFile.read(file), nil)
    case .torchTar:
      throw WeightsError(
        .unsupported,
        "a PyTorch 0.1 tar checkpoint, which is not read; loading and saving it with PyTorch makes a file that is"
      )
    case .index: throw WeightsError(.refused, "an index that leads to an index")
    case .pickle:
      throw WeightsError(.unsupported, "a pickle that is no PyTorch checkpoint; nothing in it is executed")
    }
  }

  private static func readZip(_ file: FileWindow) throws -> (WeightFormat, WeightArchive) {
    let directory = try ZipDirectory(file)
    switch directory.weightFormat {
    case .npz: return (.npz, try NumPyFile.readArchive(file, directory))
    case .torchZip: return (.torchZip, try TorchZip.read(file, directory))
    case .kerasZip: return (.kerasZip, try KerasZipReader.read(file, directory))
    default: throw WeightsError(.unsupported, "a zip file without weights in a known format")
    }
  }

  /// How many bytes ``isRecognised(_:)`` needs of a longer file.
  package static let startLength = 512

  /// Whether a file that begins so can be one of weights.
  package static func isRecognised(_ start: UnsafeRawBufferPointer) -> Bool { (try? container(start)) != nil }

  private enum Container {
    case hdf5, safetensors, npy, zip, torchLegacy, torchTar, pickle, index, darknet
  }

  private static func container(_ bytes: UnsafeRawBufferPointer) throws -> Container {
    func begins(_ magic: [UInt8], at offset: Int = 0) -> Bool {
      bytes.dropFirst(offset).prefix(magic.count).elementsEqual(magic)
    }
    if begins(HDF5File.signature) { return .hdf5 }
    if begins(NpyHeader.magic) { return .npy }
    if begins([0x50, 0x4B, 3, 4]) || begins([0x50, 0x4B, 5, 6]) { return .zip }
    if TorchLegacy.matches(bytes) { return .torchLegacy }
    if DarknetFile.matches(bytes) { return .darknet }
    if begins(Array("ustar".utf8), at: 257) { return .torchTar }
    func beginsObject(_ bytes: some Sequence<UInt8>) -> Bool {
      bytes.first { ![0x20, 0x0A, 0x0D, 0x09].contains($0) } == UInt8(ascii: "{")
    }
    // A text has no zeros; the length before the header of a safetensors file always has some. Eight bytes alone are no signature, so a
    // brace must follow, if only after blanks, which the reader refuses.
    if beginsObject(bytes), !bytes.prefix(8).contains(0) { return .index }
    if bytes.count > 8, beginsObject(bytes[8...]) { return .safetensors }
    if bytes.count > 2, bytes[0] == 0x80, (2...5).contains(bytes[1]) { return .pickle }
    let start = bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: " ")
    throw WeightsError(
      .unsupported, "not a file of weights in a known format: it begins with the bytes \(start)")
  }
}

extension ZipDirectory {
  /// What the names of the members say, nil when they say nothing.
  fileprivate var weightFormat: WeightFormat? {
    if members.contains(where: { $0.name.hasSuffix(TorchZip.pickleName) }) { return .torchZip }
    if member(KerasZipReader.configuration) != nil { return .kerasZip }
    return members.contains { $0.isArray } ? .npz : nil
  }
}
