import AviaryTensors

/// Reads the zip checkpoints that PyTorch writes since 1.6, TorchScript archives among them.
///
/// A folder holds `data.pkl`, the pickle, and `data/<key>`, a storage each, stored and aligned.
enum TorchZip {
  /// How the name of the one member ends that every such file has.
  static let pickleName = "/data.pkl"

  static func read(_ file: FileWindow, _ directory: ZipDirectory) throws -> WeightArchive {
    let pickles = directory.members.filter { $0.name.hasSuffix(pickleName) }
    guard let pickle = pickles.min(by: { $0.name.utf8.count < $1.name.utf8.count }) else {
      throw WeightsError(.malformed, "the zip file has no data.pkl")
    }
    let folder = String(pickle.name.dropLast(pickleName.count)) + "/"
    let data = folder + "data/"
    let storages = TorchStorages(
      budget: file.budget, bigEndian: try isBigEndian(file, directory.member(folder + "byteorder")),
      places: try places(file, directory.members.filter { $0.name.hasPrefix(data) }, data))
    return try pickle.unpacked(from: file).withBytes { bytes in
      var machine = PickleMachine(bytes, file.budget)
      let root = try machine.run()
      let tensors = TorchTensors(graph: machine.graph, storages: storages)
      var state = StateDictionary(tensors)
      var archive = try state.archive(root)
      if directory.member(folder + "constants.pkl") != nil { archive.metadata["torchscript"] = "true" }
      return archive
    }
  }

  /// What the file says, little-endian when it says nothing.
  private static func isBigEndian(_ file: FileWindow, _ member: ZipDirectory.Member?) throws -> Bool {
    guard let member else { return false }
    let order = try member.unpacked(from: file).withBytes {
      String(decoding: $0.prefix(16), as: UTF8.self)
    }
    guard order == "little" || order == "big" else {
      throw WeightsError(.unsupported, "the byte order \(order.quoted) is not known")
    }
    return order == "big"
  }

  /// The storages by key, each checked against its CRC-32. PyTorch compresses none, but reads files that were packed again.
  private static func places(
    _ file: FileWindow, _ members: [ZipDirectory.Member], _ folder: String
  ) throws -> [String: TorchStorage] {
    var places: [String: TorchStorage] = [:]
    for member in members where !member.name.hasSuffix("/") {
      let isEmpty = member.byteCount == 0
      let window = try isEmpty ? file.part(0..<0) : member.unpacked(from: file)
      places[String(member.name.dropFirst(folder.count))] =
        isEmpty || member.method == .stored
        ? TorchStorage(window)
        : TorchStorage(byteCount: member.byteCount) { try member.unpacked(from: file) }
    }
    return places
  }
}

extension ZipDirectory.Member {
  /// As for any zip file, but PyTorch can be told to compute no checksums and then writes 0.
  fileprivate func unpacked(from file: FileWindow) throws -> FileWindow {
    try unpacked(from: file, isChecked: crc32 != 0)
  }
}
