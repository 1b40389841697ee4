/// The messages that describe one object: a group's links, a dataset's type, shape and place, the attributes of either.
struct HDF5ObjectHeader {
  /// The kinds of message that are read. Others are skipped: all that matter carry one of these.
  enum Kind: UInt16 {
    case dataspace = 0x01
    case linkInfo = 0x02
    case datatype = 0x03
    case link = 0x06
    case externalFiles = 0x07
    case layout = 0x08
    case filters = 0x0B
    case attribute = 0x0C
    case continuation = 0x10
    case symbolTable = 0x11
    case attributeInfo = 0x15
  }

  struct Message {
    let kind: Kind
    /// The message itself is elsewhere in the file.
    let isShared: Bool
    let body: UnsafeRawBufferPointer
  }

  let file: HDF5File
  private(set) var messages: [Message] = []

  init(_ file: HDF5File, at address: Int) throws {
    self.file = file
    var reader = file.reader(at: address)
    do {
      if try reader.bytes(4).elementsEqual("OHDR".utf8) {
        try readNewer(&reader)
      } else {
        reader.position = address
        try readOlder(&reader)
      }
    } catch let error as WeightsError {
      throw error.inPart("the object at byte \(address)")
    }
  }

  func first(_ kind: Kind) -> Message? { messages.first { $0.kind == kind } }

  /// The only message of its kind; throws when there is none or it is elsewhere.
  func required(_ kind: Kind) throws -> ByteReader {
    guard let message = first(kind) else { throw WeightsError(.malformed, "its \(kind) is missing") }
    guard !message.isShared else {
      throw WeightsError(.unsupported, "its \(kind) is shared with other objects")
    }
    return ByteReader(message.body)
  }

  private mutating func append(_ code: UInt16, flags: UInt8, _ body: UnsafeRawBufferPointer) throws {
    try file.budget.spend(steps: 4)
    guard let kind = Kind(rawValue: code) else {
      // The writer says that whoever does not know this message would misread the object.
      guard flags & 0x80 == 0 else { throw WeightsError(.unsupported, "its message \(code) is not known") }
      return
    }
    messages.append(Message(kind: kind, isShared: flags & 2 != 0, body: body))
  }

  /// Where the messages go on, once per continuation: blocks that lead back to one already read are refused.
  private mutating func readBlocks(
    _ first: UnsafeRawBufferPointer, _ readBlock: (inout Self, UnsafeRawBufferPointer) throws -> Void,
    continuation: (inout ByteReader, Int) throws -> UnsafeRawBufferPointer
  ) throws {
    try readBlock(&self, first)
    var seen: Set<Int> = []
    var next = 0
    while next < messages.count {
      let message = messages[next]
      next += 1
      guard message.kind == .continuation else { continue }
      var place = ByteReader(message.body)
      let address = try place.count64()
      let length = try place.count64()
      guard seen.insert(address).inserted else {
        throw WeightsError(.malformed, "its messages run in a circle")
      }
      var reader = file.reader(at: address)
      try readBlock(&self, try continuation(&reader, length))
    }
  }

  // MARK: The two forms

  private mutating func readOlder(_ reader: inout ByteReader) throws {
    guard try reader.uint8() == 1 else { throw WeightsError(.malformed, "it has no known header") }
    try reader.skip(7)
    let size = Int(try reader.uint32())
    try reader.skip(4)
    try readBlocks(try reader.bytes(size)) { header, block in
      var block = ByteReader(block)
      while block.remaining >= 8 {
        let code = try block.uint16()
        let length = Int(try block.uint16())
        let flags = try block.uint8()
        try block.skip(3)
        try header.append(code, flags: flags, try block.bytes(length))
      }
    } continuation: { reader, length in
      try reader.bytes(length)
    }
  }

  private mutating func readNewer(_ reader: inout ByteReader) throws {
    guard try reader.uint8() == 2 else {
      throw WeightsError(.unsupported, "its header is of an unknown version")
    }
    let flags = try reader.uint8()
    if flags & 0x20 != 0 { try reader.skip(16) }
    if flags & 0x10 != 0 { try reader.skip(4) }
    let size = try reader.count(width: 1 << Int(flags & 3))
    let prefix = flags & 4 != 0 ? 6 : 4
    try readBlocks(try reader.bytes(size)) { header, block in
      var block = ByteReader(block)
      while block.remaining >= prefix {
        let code = UInt16(try block.uint8())
        let length = Int(try block.uint16())
        let messageFlags = try block.uint8()
        try block.skip(prefix - 4)
        try header.append(code, flags: messageFlags, try block.bytes(length))
      }
    } continuation: { reader, length in
      guard length >= 8, try reader.bytes(4).elementsEqual("OCHK".utf8) else {
        throw WeightsError(.malformed, "its continuation is damaged")
      }
      return try reader.bytes(length - 8)
    }
  }
}
