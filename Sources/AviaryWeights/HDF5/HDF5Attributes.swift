/// Attributes that hold text, in every form that h5py has written them: fixed-length or in a heap, one or many.
extension HDF5ObjectHeader {
  /// The text of an attribute, or nil when it is missing or no text.
  func string(_ name: String) throws -> String? { try strings(name)?.first }

  /// A list that may be split over `name0`, `name1`, … because an attribute cannot be longer than 64 kB.
  func list(_ name: String) throws -> [String]? {
    if let strings = try strings(name) { return strings }
    guard var all = try strings("\(name)0") else { return nil }
    for part in 1..<100_000 {
      guard let strings = try strings("\(name)\(part)") else { break }
      all += strings
    }
    return all
  }

  /// The texts of an attribute, or nil when there is none of that name; empty when it holds no text, as for layers without
  /// weights, whose empty list is one of numbers.
  private func strings(_ name: String) throws -> [String]? {
    do {
      // Names are tried one after another, each on all messages.
      try file.budget.spend(steps: messages.count)
      for message in messages {
        if message.kind == .attribute, var attribute = try Attribute(message),
          attribute.name.elementsEqual(name.utf8)
        {
          return try attribute.texts(file)
        }
        if message.kind == .attributeInfo, try isDense(message) {
          throw WeightsError(.unsupported, "attributes are stored in a heap of their own, a form not read")
        }
      }
      return nil
    } catch let error as WeightsError {
      throw error.inPart("attribute \(name.quoted)")
    }
  }

  private func isDense(_ message: Message) throws -> Bool {
    var reader = ByteReader(message.body)
    try reader.skip(1)
    if try reader.uint8() & 1 != 0 { try reader.skip(2) }
    return try reader.uint64() != HDF5File.undefinedAddress
  }

  /// One attribute message.
  private struct Attribute {
    let name: UnsafeRawBufferPointer.SubSequence
    private var type: ByteReader
    private var space: ByteReader
    private var values: ByteReader

    init?(_ message: Message) throws {
      guard !message.isShared else { return nil }
      var reader = ByteReader(message.body)
      let version = try reader.uint8()
      guard (1...3).contains(version) else { return nil }
      // The flags say that type or shape are elsewhere in the file: no list of names is stored like that.
      guard try reader.uint8() == 0 else { return nil }
      let sizes = (Int(try reader.uint16()), Int(try reader.uint16()), Int(try reader.uint16()))
      if version == 3 { try reader.skip(1) }
      func part(_ size: Int) throws -> UnsafeRawBufferPointer {
        let bytes = try reader.bytes(size)
        if version == 1 { try reader.skip((8 - size % 8) % 8) }
        return bytes
      }
      name = try part(sizes.0).prefix { $0 != 0 }
      type = ByteReader(try part(sizes.1))
      space = ByteReader(try part(sizes.2))
      values = ByteReader(try reader.bytes(reader.remaining))
    }

    mutating func texts(_ file: HDF5File) throws -> [String] {
      let datatype = try HDF5Datatype(&type)
      let shape = try HDF5Dataspace.shape(&space)
      guard let total = ElementFormat.uint8.byteCount(of: shape), total <= values.remaining else {
        throw WeightsError(.malformed, "it declares more values than it has bytes")
      }
      switch datatype.kind {
      case .text(let padding):
        return try (0..<total).map { _ in
          try file.budget.keep(bytes: 16 + datatype.byteCount)
          var text = UnsafeRawBufferPointer(rebasing: try values.bytes(datatype.byteCount).prefix { $0 != 0 })
          while padding != 0, text.last == padding { text = .init(rebasing: text.dropLast()) }
          return try validated(text)
        }
      case .heapText:
        return try (0..<total).map { _ in
          let length = Int(try values.uint32())
          let address = try values.uint64()
          let index = try values.uint32()
          if length == 0 { return "" }
          let object = try file.heap(at: Int(clamping: address)).object(index)
          guard length <= object.count else {
            throw WeightsError(.malformed, "a text is longer than its place")
          }
          try file.budget.keep(bytes: 16 + length)
          return try validated(.init(rebasing: object.prefix(length).prefix { $0 != 0 }))
        }
      case .number, .other: return []
      }
    }

    private func validated(_ bytes: UnsafeRawBufferPointer) throws -> String {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw WeightsError(.malformed, "a text is not UTF-8")
      }
      return text
    }
  }
}
