import AviaryTensors
import CHDF5

/// A dataset being written, which takes its values piece by piece.
struct HDF5Target {
  let dataset: HDF5Handle
  let space: HDF5Handle
  let type: HDF5Handle
  let shape: Shape

  /// Writes the elements `run`, counted in row-major order.
  func write(_ bytes: UnsafeRawBufferPointer, _ run: Range<Int>) throws {
    guard let base = bytes.baseAddress, !run.isEmpty else { return }
    if run.count == shape.elementCount {
      try check(H5Dwrite(dataset.id, type.id, 0, 0, 0, base))
    } else {
      try write(base, run, inRow: [])
    }
  }

  /// As above, for the part of the dataset that the outermost indices `row` single out.
  ///
  /// libhdf5 selects boxes. A run has whole rows along the outermost axis, which are one, and before and after them parts of a row,
  /// which are runs of fewer axes.
  private func write(_ bytes: UnsafeRawPointer, _ run: Range<Int>, inRow row: [Int]) throws {
    let inside = Array(shape[(row.count + 1)...])
    let size = inside.elementCount
    func writePart(of index: Int, _ part: Range<Int>) throws {
      let start = index * size
      try write(
        bytes + (part.lowerBound - run.lowerBound) * H5Tget_size(type.id),
        (part.lowerBound - start)..<(part.upperBound - start), inRow: row + [index])
    }
    let first = run.lowerBound / size
    if run.count < size, run.upperBound <= (first + 1) * size { return try writePart(of: first, run) }
    let whole = ((run.lowerBound + size - 1) / size)..<(run.upperBound / size)
    let (start, end) = (whole.lowerBound * size, whole.upperBound * size)
    if run.lowerBound < start { try writePart(of: first, run.lowerBound..<start) }
    if !whole.isEmpty {
      try writeBox(
        bytes + (start - run.lowerBound) * H5Tget_size(type.id),
        from: row + [whole.lowerBound] + inside.map { _ in 0 },
        extents: row.map { _ in 1 } + [whole.count] + inside)
    }
    if end < run.upperBound { try writePart(of: whole.upperBound, end..<run.upperBound) }
  }

  private func writeBox(_ bytes: UnsafeRawPointer, from start: [Int], extents: [Int]) throws {
    let origin = start.map { hsize_t($0) }
    let counts = extents.map { hsize_t($0) }
    try check(H5Sselect_hyperslab(space.id, H5S_SELECT_SET, origin, nil, counts, nil))
    let memory = try HDF5Handle(H5Screate_simple(Int32(counts.count), counts, nil), .unwritable, Self.failure)
    try check(H5Dwrite(dataset.id, type.id, memory.id, space.id, 0, bytes))
  }

  private static let failure = "its values cannot be written"

  private func check(_ status: herr_t) throws {
    guard status >= 0 else { throw HDF5Library.failure(.unwritable, Self.failure) }
  }
}
