/// A group of an HDF5 file and the addresses of its members.
struct HDF5Group {
  enum Child {
    case group(HDF5Group)
    case dataset(HDF5Dataset)
    /// A named type: nothing a reader of weights wants.
    case other
  }

  private enum Link {
    case object(address: Int)
    /// The kind of link that leads to another place by name.
    case refused(String)
  }

  /// From the root, without a leading slash.
  let path: String
  let header: HDF5ObjectHeader
  private let links: [String: Link]

  init(path: String, header: HDF5ObjectHeader, _ file: HDF5File) throws {
    self.path = path
    self.header = header
    do {
      var reading = Reading(file: file)
      try reading.read(header)
      links = reading.links
    } catch let error as WeightsError {
      throw error.inPart(path.isEmpty ? "the root group" : "group \(path.quoted)")
    }
  }

  var childNames: [String] { Array(links.keys) }

  /// What is at `relativePath`, or nil when there is nothing; every step must be an ordinary (hard) link.
  func child(_ relativePath: String) throws -> Child? {
    let steps = relativePath.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard steps.count <= 64, !steps.contains(where: { ["", ".", ".."].contains($0) }) else {
      throw WeightsError(.refused, "\(relativePath.quoted) is not a usable path")
    }
    var group = self
    for step in steps.dropLast() {
      guard case .group(let next)? = try group.member(step) else { return nil }
      group = next
    }
    return try group.member(steps.last!)
  }

  /// The group at `relativePath`; throws when there is none.
  func group(_ relativePath: String) throws -> HDF5Group {
    guard case .group(let group)? = try child(relativePath) else {
      throw WeightsError(.malformed, "the group \(joined(relativePath).quoted) is missing")
    }
    return group
  }

  /// The dataset at `relativePath`; throws when there is none.
  func dataset(_ relativePath: String) throws -> HDF5Dataset {
    guard case .dataset(let dataset)? = try child(relativePath) else {
      throw WeightsError(.malformed, "the dataset \(joined(relativePath).quoted) is missing")
    }
    return dataset
  }

  private func member(_ name: String) throws -> Child? {
    switch links[name] {
    case nil: return nil
    case .refused(let kind):
      throw WeightsError(.refused, "\(joined(name).quoted) is \(kind) link, which is not followed")
    case .object(let address):
      // A group may hold itself, so paths can be far longer than the file.
      try header.file.budget.spend(steps: 16)
      try header.file.budget.keep(bytes: 64 + path.utf8.count + name.utf8.count)
      let object = try HDF5ObjectHeader(header.file, at: address)
      if object.first(.layout) != nil { return .dataset(HDF5Dataset(path: joined(name), header: object)) }
      if object.first(.symbolTable) != nil || object.first(.linkInfo) != nil {
        return .group(try HDF5Group(path: joined(name), header: object, header.file))
      }
      return .other
    }
  }

  private func joined(_ name: String) -> String { path.isEmpty ? name : path + "/" + name }
}

// MARK: Reading the links

extension HDF5Group {
  private struct Reading {
    let file: HDF5File
    var links: [String: Link] = [:]
    private var seen: Set<Int> = []

    init(file: HDF5File) { self.file = file }

    mutating func read(_ header: HDF5ObjectHeader) throws {
      if let message = header.first(.symbolTable) {
        var reader = ByteReader(message.body)
        let tree = try reader.count64()
        try readTree(at: tree, names: try LocalHeap(file, at: try reader.count64()), level: nil)
      }
      if let message = header.first(.linkInfo) {
        var reader = ByteReader(message.body)
        try reader.skip(1)
        if try reader.uint8() & 1 != 0 { try reader.skip(8) }
        guard try reader.uint64() == HDF5File.undefinedAddress else {
          throw WeightsError(.unsupported, "its members are stored in a heap of their own, a form not read")
        }
      }
      for message in header.messages where message.kind == .link { try readLink(message) }
    }

    private mutating func add(_ name: UnsafeRawBufferPointer, _ link: Link) throws {
      try file.budget.spend(steps: 8 + name.count)
      try file.budget.keep(bytes: 96 + name.count)
      guard let name = String(validating: name, as: UTF8.self) else {
        throw WeightsError(.malformed, "a name is not UTF-8")
      }
      guard links.updateValue(link, forKey: name) == nil else {
        throw WeightsError(.malformed, "two members are called \(name.quoted)")
      }
    }

    /// The older form: a B-tree whose leaves are lists of names and addresses.
    private mutating func readTree(at address: Int, names: LocalHeap, level: UInt8?) throws {
      guard seen.insert(address).inserted else {
        throw WeightsError(.malformed, "its index runs in a circle")
      }
      if level == 0 { return try readSymbols(at: address, names: names) }
      var reader = file.reader(at: address)
      guard try reader.bytes(4).elementsEqual("TREE".utf8), try reader.uint8() == 0 else {
        throw WeightsError(.malformed, "its index is damaged at byte \(address)")
      }
      let own = try reader.uint8()
      // The leaves of level 0 are lists; each step down is one level lower, so the way ends.
      guard own < 16, level.map({ own == $0 - 1 }) ?? true else {
        throw WeightsError(.malformed, "its index is damaged at byte \(address)")
      }
      let count = Int(try reader.uint16())
      try reader.skip(16 + 8)
      for _ in 0..<count {
        let child = try reader.count64()
        try reader.skip(8)
        if own == 0 {
          try readTree(at: child, names: names, level: 0)
        } else {
          try readTree(at: child, names: names, level: own)
        }
      }
    }

    private mutating func readSymbols(at address: Int, names: LocalHeap) throws {
      var reader = file.reader(at: address)
      guard try reader.bytes(4).elementsEqual("SNOD".utf8) else {
        throw WeightsError(.malformed, "its list of names is damaged at byte \(address)")
      }
      try reader.skip(2)
      for _ in 0..<(try reader.uint16()) {
        let name = try names.text(at: try reader.count64())
        let target = try reader.uint64()
        let cache = try reader.uint32()
        try reader.skip(20)
        try add(name, cache == 2 ? .refused("a soft") : .object(address: Int(clamping: target)))
      }
    }

    /// The newer form: one message per member.
    private mutating func readLink(_ message: HDF5ObjectHeader.Message) throws {
      var reader = ByteReader(message.body)
      guard try reader.uint8() == 1 else { throw WeightsError(.unsupported, "a link of an unknown version") }
      let flags = try reader.uint8()
      let kind = flags & 8 != 0 ? try reader.uint8() : 0
      if flags & 4 != 0 { try reader.skip(8) }
      if flags & 0x10 != 0 { try reader.skip(1) }
      let length = try reader.count(width: 1 << Int(flags & 3))
      let name = try reader.bytes(length)
      switch kind {
      case 0: try add(name, .object(address: try reader.count64()))
      case 1: try add(name, .refused("a soft"))
      default: try add(name, .refused("an external"))
      }
    }
  }

  /// Where the older form keeps names.
  private struct LocalHeap {
    private let bytes: UnsafeRawBufferPointer

    init(_ file: HDF5File, at address: Int) throws {
      var reader = file.reader(at: address)
      guard try reader.bytes(4).elementsEqual("HEAP".utf8) else {
        throw WeightsError(.malformed, "its names are missing at byte \(address)")
      }
      try reader.skip(4)
      let size = try reader.count64()
      try reader.skip(8)
      reader.position = try reader.count64()
      bytes = try reader.bytes(size)
    }

    func text(at offset: Int) throws -> UnsafeRawBufferPointer {
      guard offset < bytes.count, let end = bytes[offset...].firstIndex(of: 0) else {
        throw WeightsError(.malformed, "a name is damaged")
      }
      return .init(rebasing: bytes[offset..<end])
    }
  }
}
