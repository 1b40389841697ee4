import AviaryTensors

/// A dataset of an HDF5 file.
struct HDF5Dataset {
  /// From the root, without a leading slash.
  let path: String
  let header: HDF5ObjectHeader

  /// Adds the values to `archive` under `name`, by default the path; returns false when they are not numbers. Throws ``WeightsError``
  /// for damaged and dishonest datasets.
  ///
  /// Values that lie in one piece stay in the mapped file.
  func append(to archive: inout WeightArchive, as name: String? = nil) throws -> Bool {
    do {
      var typeReader = try header.required(.datatype)
      guard case .number(let format, let bigEndian) = try HDF5Datatype(&typeReader).kind else { return false }
      var spaceReader = try header.required(.dataspace)
      let shape = try HDF5Dataspace.shape(&spaceReader)
      guard let byteCount = format.byteCount(of: shape) else {
        throw WeightsError(.malformed, "the shape \(shape) is not possible")
      }
      guard header.first(.externalFiles) == nil else {
        throw WeightsError(.refused, "its values are in other files")
      }
      // One dataset may be reached under many names, and each makes a tensor of its own.
      try header.file.budget.unpack(bytes: byteCount)
      let name = name ?? path
      try header.file.budget.keep(bytes: 512 + name.utf8.count)
      if byteCount == 0 {
        try archive.append(name, try format.tensor(from: .init(start: nil, count: 0), shape: shape))
        return true
      }
      var layout = try header.required(.layout)
      if let address = try address(&layout, format, shape, byteCount: byteCount) {
        try format.append(
          to: &archive, name, in: header.file.window, at: address, shape: shape, bigEndian: bigEndian)
      } else {
        var layout = try header.required(.layout)
        try appendScattered(
          to: &archive, name, &layout, format, bigEndian: bigEndian, shape, byteCount: byteCount)
      }
      return true
    } catch let error as WeightsError {
      throw error.inPart("dataset \(path.quoted)")
    }
  }

  /// Where the values begin when they lie in one piece.
  private func address(
    _ layout: inout ByteReader, _ format: ElementFormat, _ shape: Shape, byteCount: Int
  ) throws -> Int? {
    let version = try layout.uint8()
    guard version == 3 || version == 4 else {
      throw WeightsError(.unsupported, "its layout is of version \(version), which is not read")
    }
    guard try layout.uint8() == 1 else { return nil }
    let address = try layout.uint64()
    guard address != HDF5File.undefinedAddress else {
      throw WeightsError(.malformed, "its values were never written")
    }
    try check(stored: try layout.uint64(), shape, format, byteCount)
    return Int(clamping: address)
  }

  /// Adds the values of small datasets, which are in the header, and of those in chunks.
  private func appendScattered(
    to archive: inout WeightArchive, _ name: String, _ layout: inout ByteReader, _ format: ElementFormat,
    bigEndian: Bool, _ shape: Shape, byteCount: Int
  ) throws {
    let version = try layout.uint8()
    switch try layout.uint8() {
    case 0:
      let size = Int(try layout.uint16())
      try check(stored: UInt64(size), shape, format, byteCount)
      let bytes = try layout.bytes(byteCount)
      try archive.append(name, try format.tensor(from: bytes, shape: shape, bigEndian: bigEndian))
    case 2:
      guard version == 3 else {
        throw WeightsError(.unsupported, "its chunks have an index of HDF5 1.10 or later, which is not read")
      }
      let chunks = try HDF5Chunks(&layout, header, shape: shape, elementSize: format.byteCount)
      try archive.append(name, rereading: { try chunks.tensor(format, bigEndian: bigEndian) })
    default: throw WeightsError(.refused, "it is a virtual dataset, made of other files")
    }
  }

  private func check(stored: UInt64, _ shape: Shape, _ format: ElementFormat, _ byteCount: Int) throws {
    guard stored == UInt64(byteCount) else {
      throw WeightsError(
        .malformed, "\(shape.shapeText) \(format) needs \(byteCount) bytes, \(stored) are stored")
    }
  }
}
