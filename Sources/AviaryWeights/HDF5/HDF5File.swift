import AviaryTensors

/// An HDF5 file's bytes and what its superblock says of them.
///
/// Reading is done here and not by libhdf5, which writes: that library trusts the addresses in a file, and a few flipped bits make it
/// crash (seen with 1.10.8 in one damaged file of some hundred). The forms that Keras, h5py and TensorFlow write are read; what only newer
/// HDF5 features can express is refused by name. Nothing outside the file is ever opened.
final class HDF5File {
  let window: FileWindow
  private let bytes: UnsafeRawBufferPointer
  /// Address of the root group's object header.
  let rootAddress: Int
  private var heaps: [Int: HDF5GlobalHeap] = [:]

  static let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
  /// What the format writes for "nowhere".
  static let undefinedAddress = UInt64.max

  /// - Parameter bytes: all bytes of `window`; they must stay valid while this object is used.
  /// - Throws: ``WeightsError`` when it is no HDF5 file or shorter than it says.
  init(_ window: FileWindow, bytes: UnsafeRawBufferPointer) throws {
    self.window = window
    self.bytes = bytes
    var reader = ByteReader(bytes)
    guard bytes.count >= 8, try reader.bytes(8).elementsEqual(Self.signature) else {
      throw WeightsError(.malformed, "it does not begin like an HDF5 file")
    }
    let version = try reader.uint8()
    if version < 2 { try reader.skip(4) }
    guard version <= 3 else {
      throw WeightsError(.unsupported, "version \(version) of the HDF5 superblock is not known")
    }
    let widths = (try reader.uint8(), try reader.uint8())
    guard widths == (8, 8) else {
      throw WeightsError(.unsupported, "addresses of \(widths.0) and lengths of \(widths.1) bytes")
    }
    try reader.skip(version == 0 ? 9 : version == 1 ? 13 : 1)
    guard try reader.uint64() == 0 else { throw WeightsError(.unsupported, "an HDF5 file with a user block") }
    try reader.skip(8)
    let end = try reader.uint64()
    guard end <= UInt64(bytes.count) else {
      throw WeightsError(.truncated, "the superblock promises \(end) bytes, the file has \(bytes.count)")
    }
    // The older form gives the root group as an entry of a symbol table: a name, which is empty, and the address.
    if version < 2 { try reader.skip(16) }
    rootAddress = try reader.count64()
  }

  func root() throws -> HDF5Group {
    try HDF5Group(path: "", header: HDF5ObjectHeader(self, at: rootAddress), self)
  }

  func reader(at address: Int) -> ByteReader {
    var reader = ByteReader(bytes)
    reader.position = address
    return reader
  }

  func heap(at address: Int) throws -> HDF5GlobalHeap {
    if let heap = heaps[address] { return heap }
    let heap = try HDF5GlobalHeap(self, at: address)
    heaps[address] = heap
    return heap
  }

  /// What reading the file may cost. Objects, names and texts may be reached along many ways, and each time they are read again.
  var budget: ReadingBudget { window.budget }
}

/// A collection of variable-length values, which attributes refer to by address and number.
struct HDF5GlobalHeap {
  private let objects: [UInt32: UnsafeRawBufferPointer]

  init(_ file: HDF5File, at address: Int) throws {
    var reader = file.reader(at: address)
    guard try reader.bytes(4).elementsEqual("GCOL".utf8) else {
      throw WeightsError(.malformed, "there is no heap at byte \(address)")
    }
    try reader.skip(4)
    let size = try reader.count64()
    guard size >= 16 else { throw WeightsError(.malformed, "the heap at byte \(address) is damaged") }
    var body = ByteReader(try reader.bytes(size - 16))
    var objects: [UInt32: UnsafeRawBufferPointer] = [:]
    while body.remaining >= 16 {
      try file.budget.spend(steps: 4)
      try file.budget.keep(bytes: 64)
      let index = UInt32(try body.uint16())
      // Number 0 is the free space at the end.
      if index == 0 { break }
      try body.skip(6)
      let length = try body.count64()
      objects[index] = try body.bytes(length)
      try body.skip(min((8 - length % 8) % 8, body.remaining))
    }
    self.objects = objects
  }

  func object(_ index: UInt32) throws -> UnsafeRawBufferPointer {
    guard let object = objects[index] else {
      throw WeightsError(.malformed, "a text is missing from its heap")
    }
    return object
  }
}
