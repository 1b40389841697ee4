import AviaryTensors

/// The pieces of a dataset that is stored in chunks, each possibly compressed.
///
/// Every chunk must be there: weights have no holes, and a file that stores nothing cannot then declare much.
struct HDF5Chunks: Sendable {
  private struct Chunk: Sendable {
    let origin: [Int]
    let address: Int
    let storedSize: Int
    /// A bit per filter that was not applied to this chunk.
    let skippedFilters: UInt32
  }

  private let file: FileWindow
  private let shape: Shape
  private let chunkShape: Shape
  private let elementSize: Int
  private let filters: [HDF5Filter]
  private var chunks: [Chunk] = []
  private var seen: Set<Int> = []

  /// - Parameter layout: the layout message behind its version and class.
  init(_ layout: inout ByteReader, _ header: HDF5ObjectHeader, shape: Shape, elementSize: Int) throws {
    file = header.file.window
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
    try readTree(header.file, at: Int(clamping: root), level: nil)
    try checkComplete()
  }

  private mutating func readTree(_ file: HDF5File, at address: Int, level: UInt8?) throws {
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
      try file.budget.spend(steps: 8)
      try file.budget.keep(bytes: 64 + 16 * shape.count)
      let size = Int(try reader.uint32())
      let mask = try reader.uint32()
      let origin = try shape.map { _ in try reader.count64() }
      try reader.skip(8)
      let child = try reader.count64()
      if own > 0 {
        try readTree(file, at: child, level: own)
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
    guard stored <= file.count else {
      throw WeightsError(.refused, "its chunks take \(stored) bytes, more than the file")
    }
    // Deflate gains at most a factor of 1032.
    guard let size = ElementFormat.uint8.byteCount(of: chunkShape + [elementSize]),
      chunks.allSatisfy({ size / 1032 <= $0.storedSize })
    else { throw WeightsError(.refused, "\(stored) stored bytes cannot unpack to what it declares") }
    // Each filter goes over all bytes.
    for _ in chunks { try file.budget.spend(steps: (1 + filters.count) * (size / 64)) }
  }

  /// The dataset, whose elements are of the type `format`.
  func tensor(_ format: ElementFormat, bigEndian: Bool) throws -> Tensor {
    try format.tensor(shape: shape, bigEndian: bigEndian, storedFilledBy: assemble)
  }

  /// Fills `target` with the dataset's elements in row-major order.
  private func assemble(into target: UnsafeMutableRawBufferPointer) throws {
    let size = chunkShape.elementCount * elementSize
    for chunk in chunks {
      try file.withBytes { file in
        var reader = ByteReader(file)
        reader.position = chunk.address
        var bytes = Array(try reader.bytes(chunk.storedSize))
        for (index, filter) in filters.enumerated().reversed()
        where chunk.skippedFilters >> UInt32(index) & 1 == 0 {
          bytes = try filter.undone(bytes, unpackedSize: size)
        }
        guard bytes.count == size else {
          throw WeightsError(.malformed, "a chunk has \(bytes.count) bytes instead of \(size)")
        }
        bytes.withUnsafeBytes { copy($0, of: chunk, into: target) }
      }
      file.releasePages(chunk.address..<(chunk.address + chunk.storedSize))
    }
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
