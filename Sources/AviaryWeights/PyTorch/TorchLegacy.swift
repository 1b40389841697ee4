import AviaryTensors

/// Reads the checkpoints that PyTorch wrote before 1.6: pickles one after another, then the storages.
///
/// The pickles are a magic number, a protocol, facts about the machine, the object, and the keys of the storages. For each key follow
/// the number of elements in 64 bits and the elements, wherever that ends.
enum TorchLegacy {
  /// The magic number as every protocol pickles it, after at most a header and a frame.
  private static let magic: [UInt8] = [
    0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19,
  ]

  /// True when a file begins as these do.
  static func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count > 2, bytes[0] == 0x80 else { return false }
    // Protocols from 4 on put a frame in between, nine bytes.
    return [2, 11].contains { bytes.dropFirst($0).prefix(magic.count).elementsEqual(magic) }
  }

  static func read(_ file: FileWindow) throws -> WeightArchive {
    try file.withBytes { bytes in
      var headers = PickleMachine(bytes, file.budget)
      _ = try headers.run()
      let version = try headers.run()
      guard headers.graph.int(version) == 1001 else {
        throw WeightsError(.unsupported, "the checkpoint is of an unknown version, not 1001")
      }
      let facts = try headers.run()
      let isLittleEndian = headers.graph.littleEndian(facts)
      var machine = PickleMachine(bytes, at: headers.position, file.budget)
      let root = try machine.run()
      let graph = machine.graph
      let keys = try machine.run()
      guard let keyReferences = machine.graph.elements(keys) else {
        throw WeightsError(.malformed, "the keys of the storages are no list")
      }
      let places = try places(
        keyReferences.compactMap(machine.graph.string), try widths(graph), bytes, machine.position)
      let storages = TorchStorages(
        budget: file.budget, bigEndian: !isLittleEndian, places: places.mapValues { .init(file.part($0)) })
      var state = StateDictionary(TorchTensors(graph: graph, storages: storages))
      return try state.archive(root)
    }
  }

  /// Bytes of an element by key: only the object says them.
  private static func widths(_ graph: PickleGraph) throws -> [String: Int] {
    var widths: [String: Int] = [:]
    for identity in graph.persistentIdentities {
      // Modules are kept outside too, with their source text.
      guard let kind = graph.tuple(identity)?.first, graph.string(kind) == "storage" else { continue }
      let storage = try TorchStorageReference(identity, in: graph)
      if let other = widths.updateValue(storage.format.byteCount, forKey: storage.key),
        other != storage.format.byteCount
      {
        throw WeightsError(.malformed, "the storage \(storage.key.quoted) has elements of two sizes")
      }
    }
    return widths
  }

  private static func places(
    _ keys: [String], _ widths: [String: Int], _ bytes: UnsafeRawBufferPointer, _ start: Int
  ) throws -> [String: Range<Int>] {
    var reader = ByteReader(bytes)
    reader.position = start
    var places: [String: Range<Int>] = [:]
    for key in keys {
      guard let width = widths[key] else {
        throw WeightsError(.malformed, "the storage \(key.quoted) belongs to no tensor")
      }
      do {
        let (size, overflow) = try reader.count64().multipliedReportingOverflow(by: width)
        guard !overflow else { throw WeightsError(.malformed, "its size is not possible") }
        let first = reader.position
        try reader.skip(size)
        guard places.updateValue(first..<(first + size), forKey: key) == nil else {
          throw WeightsError(.malformed, "it occurs twice")
        }
      } catch let error as WeightsError {
        throw error.inPart("storage \(key.quoted)")
      }
    }
    return places
  }
}

extension PickleGraph {
  /// What the facts about the machine that wrote a file say of its byte order.
  fileprivate func littleEndian(_ facts: PickleReference) -> Bool {
    let entry = entries(facts)?.last { string($0.key) == "little_endian" }
    if case .bool(false)? = entry.map({ self[$0.value] }) { return false }
    return true
  }
}
