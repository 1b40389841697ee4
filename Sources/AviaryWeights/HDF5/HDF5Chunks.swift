import AviaryTensors

/// The pieces of a dataset that is stored in chunks, each possibly compressed.
///
/// Every chunk must be there: weights have no holes, and a file that stores nothing cannot then declare much.
struct HDF5Chunks {
  private struct Chunk {
    let origin: [Int]
    let address: Int
    let storedSize: Int
    /// A bit per filter that was not applied to this chunk.
    let skippedFilters: UInt32
  }

  private let file: HDF5File
  private let shape: Shape
  private let chunkShape: Shape
  private let elementSize: Int
  private let filters: [HDF5Filter]
  private var chunks: [Chunk] = []
  private var seen: Set<Int> = []

  /// - Parameter layout: the layout message behind its version and class.
  init(_ layout: inout ByteReader, _ header: HDF5ObjectHeader, shape: Shape, elementSize: Int) throws {
    file = header.file
    self.shape = shape
    self.elementSize = elementSize
    let rank = Int(try layout.uint8()) - 1
    let root = try layout.uint64()
    guard rank == shape.count, root != HDF5File.undefinedAddress else {
      throw WeightsError(.malformed, "its chunks do not fit its shape")
    }
    chunkShape = try (0..<rank).map { _ in Int(try layout.uint32()) }
    guard chunkShape.allSatisfy({ $0 > 0 }), try layout.uint32() == elementSize else {
      throw WeightsError(.malformed, "its chunks do not fit its shape")
    }
    filters = try header.first(.filters).map { try HDF5Filter.pipeline(ByteReader($0.body)) } ?? []
    try readTree(at: Int(clamping: root), level: nil)
    try checkComplete()
  }

  private mutating func readTree(at address: Int, level: UInt8?) throws {
    guard seen.insert(address).inserted else { throw WeightsError(.malformed, "its index runs in a circle") }
    var reader = file.reader(at: address)
    guard try reader.bytes(4).elementsEqual("TREE".utf8), try reader.uint8() == 1 else {
      throw WeightsError(.malformed, "its index is damaged at byte \(address)")
    }
    let own = try reader.uint8()
    guard own < 16, level.map({ own == $0 - 1 }) ?? true else {
      throw WeightsError(.malformed, "its index is damaged at byte \(address)")
    }
    let count = Int(try reader.uint16())
    try reader.skip(16)
    for _ in 0..<count {
      let size = Int(try reader.uint32())
      let mask = try reader.uint32()
      let origin = try shape.map { _ in try reader.count64() }
      try reader.skip(8)
      let child = try reader.count64()
      if own > 0 {
        try readTree(at: child, level: own)
      } else {
        chunks.append(Chunk(origin: origin, address: child, storedSize: size, skippedFilters: mask))
      }
    }
  }

  private func checkComplete() throws {
    let counts = zip(shape, chunkShape).map { ($0 + $1 - 1) / $1 }
    let origins = Set(chunks.map(\.origin))
    let areInPlace = chunks.allSatisfy { chunk in
      zip(chunk.origin, zip(shape, chunkShape)).allSatisfy { $0 < $1.0 && $0 % $1.1 == 0 }
    }
    guard areInPlace, origins.count == chunks.count,
      ElementFormat.uint8.byteCount(of: counts) == chunks.count
    else { throw WeightsError(.malformed, "chunks are missing or out of place: it has \(chunks.count)") }
    let stored = chunks.reduce(0) { $0 + $1.storedSize }
    guard stored <= file.window.count else {
      throw WeightsError(.refused, "its chunks take \(stored) bytes, more than the file")
    }
    // Deflate gains at most a factor of 1032.
    guard let size = ElementFormat.uint8.byteCount(of: chunkShape + [elementSize]),
      chunks.allSatisfy({ size / 1032 <= $0.storedSize })
    else { throw WeightsError(.refused, "\(stored) stored bytes cannot unpack to what it declares") }
  }

  /// The dataset's elements in row-major order.
  func withAssembled<Result>(
    byteCount: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    let result = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
    defer { result.deallocate() }
    let size = chunkShape.elementCount * elementSize
    for chunk in chunks {
      var reader = file.reader(at: chunk.address)
      var bytes = Array(try reader.bytes(chunk.storedSize))
      for (index, filter) in filters.enumerated().reversed()
      where chunk.skippedFilters >> UInt32(index) & 1 == 0 {
        bytes = try filter.undone(bytes, unpackedSize: size)
      }
      guard bytes.count == size else {
        throw WeightsError(.malformed, "a chunk has \(bytes.count) bytes instead of \(size)")
      }
      bytes.withUnsafeBytes { copy($0, of: chunk, into: result) }
    }
    return try body(UnsafeRawBufferPointer(result))
  }

  /// Row by row along the last axis; chunks at the edges reach beyond the dataset.
  private func copy(
    _ bytes: UnsafeRawBufferPointer, of chunk: Chunk, into result: UnsafeMutableRawBufferPointer
  ) {
    let extents = zip(chunk.origin, zip(shape, chunkShape)).map { min($1.1, $1.0 - $0) }
    let rowBytes = (extents.last ?? 1) * elementSize
    let rows = extents.dropLast().reduce(1, *)
    for row in 0..<rows {
      var rest = row
      var source = 0
      var target = 0
      var sourceStride = chunkShape.last ?? 1
      var targetStride = shape.last ?? 1
      for axis in stride(from: shape.count - 2, through: 0, by: -1) {
        let index = rest % extents[axis]
        rest /= extents[axis]
        source += index * sourceStride
        target += (chunk.origin[axis] + index) * targetStride
        sourceStride *= chunkShape[axis]
        targetStride *= shape[axis]
      }
      target += chunk.origin.last ?? 0
      (result.baseAddress! + target * elementSize)
        .copyMemory(from: bytes.baseAddress! + source * elementSize, byteCount: rowBytes)
    }
  }
}

/// A step that was applied to chunks before they were stored.
enum HDF5Filter {
  case deflate
  /// First bytes of all elements, then second bytes, …
  case shuffle(elementSize: Int)
  /// Four bytes of checksum at the end.
  case fletcher32

  static func pipeline(_ reader: ByteReader) throws -> [HDF5Filter] {
    var reader = reader
    let version = try reader.uint8()
    let count = try reader.uint8()
    guard version == 1 || version == 2, count <= 32 else {
      throw WeightsError(.malformed, "its list of filters is damaged")
    }
    if version == 1 { try reader.skip(6) }
    return try (0..<count).map { _ in
      let code = try reader.uint16()
      let nameLength = version == 1 || code >= 256 ? Int(try reader.uint16()) : 0
      try reader.skip(2)
      let valueCount = Int(try reader.uint16())
      try reader.skip(version == 1 ? (nameLength + 7) / 8 * 8 : nameLength)
      let values = try (0..<valueCount).map { _ in Int(try reader.uint32()) }
      if version == 1, valueCount % 2 == 1 { try reader.skip(4) }
      switch code {
      case 1: return .deflate
      case 2: return .shuffle(elementSize: values.first ?? 1)
      case 3: return .fletcher32
      default: throw WeightsError(.unsupported, "it is compressed by filter \(code), which is not read")
      }
    }
  }

  /// The bytes before the filter.
  func undone(_ bytes: [UInt8], unpackedSize: Int) throws -> [UInt8] {
    switch self {
    case .deflate:
      return try [UInt8](unsafeUninitializedCapacity: unpackedSize) { buffer, count in
        try bytes.withUnsafeBytes { packed in
          try Inflate.unpack(packed, into: UnsafeMutableRawBufferPointer(buffer), wrapper: .zlib)
        }
        count = unpackedSize
      }
    case .shuffle(let size):
      guard size > 0 else { throw WeightsError(.malformed, "its list of filters is damaged") }
      let count = bytes.count / size
      var result = bytes
      for index in 0..<count {
        for byte in 0..<size { result[index * size + byte] = bytes[byte * count + index] }
      }
      return result
    case .fletcher32: return Array(bytes.dropLast(4))
    }
  }
}
