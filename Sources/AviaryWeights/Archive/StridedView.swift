import AviaryTensors

/// Elements of a file that make up a tensor: a beginning and, per axis, an extent and a step.
struct StridedView: Sendable {
  let format: ElementFormat
  let bigEndian: Bool
  /// The first element's byte in the file.
  let start: Int
  let shape: Shape
  /// In elements, none negative.
  let strides: [Int]

  /// A view of `byteCount` bytes that begin at byte `base` of a file of which they are a part.
  ///
  /// Throws ``WeightsError`` unless every element lies inside; sums and products are checked for overflow.
  init(
    _ format: ElementFormat, bigEndian: Bool, base: Int, byteCount: Int, offset: Int, shape: Shape,
    strides: [Int]
  ) throws {
    guard shape.count == strides.count, shape.count <= 32, let size = format.byteCount(of: shape),
      offset >= 0, strides.allSatisfy({ $0 >= 0 })
    else {
      throw WeightsError(
        .malformed,
        "the shape \(shape.prefix(40)) with strides \(strides.prefix(40)) and offset \(offset) is not possible"
      )
    }
    // One past the last element, nil when that does not fit into 63 bits.
    var end: Int? = offset
    for (extent, stride) in zip(shape, strides) where size > 0 {
      let (reach, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
      end = overflow ? nil : end.flatMap { Self.sum($0, reach) }
    }
    let available = byteCount / format.byteCount
    guard let last = end, size == 0 || last < available else {
      throw WeightsError(
        .malformed,
        "\(shape.shapeText) \(format) with strides \(strides) from element \(offset) does not fit into its storage of \(available)"
      )
    }
    self.format = format
    self.bigEndian = bigEndian
    start = size == 0 ? base : base + offset * format.byteCount
    self.shape = shape
    self.strides = strides
  }

  private static func sum(_ a: Int, _ b: Int) -> Int? {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? nil : sum
  }

  /// One past the last element's last byte.
  private var end: Int {
    start + (zip(shape, strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 } + 1) * format.byteCount
  }

  var byteCount: Int { format.byteCount * shape.elementCount }

  /// True when the elements lie in row-major order without gaps.
  private var isDense: Bool {
    var expected = 1
    for (extent, stride) in zip(shape, strides).reversed() where extent != 1 {
      if stride != expected { return false }
      expected *= extent
    }
    return true
  }

  /// Adds the tensor to `archive`: mapped where its bytes can stay as they are, else made when it is asked for.
  func append(to archive: inout WeightArchive, _ name: String, in file: FileWindow) throws {
    if isDense || shape.contains(0) {
      return try format.append(
        to: &archive, name, in: file, at: start, shape: shape, bigEndian: bigEndian)
    }
    // A uint64 may have no counterpart: that shows only when it is converted.
    if format == .uint64 { return try archive.append(name, gathered(file)) }
    try archive.append(name, TensorSpec(shape, format.dtype)) {
      do {
        return try gathered(file)
      } catch {
        requirementFailure("elements that were checked cannot be converted: \(error)")
      }
    }
  }

  /// The elements in row-major order.
  private func gathered(_ file: FileWindow) throws -> Tensor {
    defer { file.releasePages(start..<end) }
    return try file.withBytes { bytes in
      let source = UnsafeRawBufferPointer(rebasing: bytes[start...])
      return try format.tensor(shape: shape, bigEndian: bigEndian) { copyElements(of: source, to: $0) }
    }
  }

  private func copyElements(of source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer) {
    switch format.byteCount {
    case 1: copyWords(of: source, to: target.bindMemory(to: UInt8.self))
    case 2: copyWords(of: source, to: target.bindMemory(to: UInt16.self))
    case 4: copyWords(of: source, to: target.bindMemory(to: UInt32.self))
    default: copyWords(of: source, to: target.bindMemory(to: UInt64.self))
    }
  }

  private func copyWords<Word: FixedWidthInteger & BitwiseCopyable>(
    of source: UnsafeRawBufferPointer, to target: UnsafeMutableBufferPointer<Word>
  ) {
    let width = MemoryLayout<Word>.size
    let inner = shape.last ?? 1
    let innerStep = (strides.last ?? 0) * width
    var index = [Int](repeating: 0, count: max(shape.count - 1, 0))
    var row = 0
    for start in stride(from: 0, to: target.count, by: inner) {
      for column in 0..<inner {
        target[start + column] = source.loadUnaligned(
          fromByteOffset: row + column * innerStep, as: Word.self)
      }
      for axis in index.indices.reversed() {
        index[axis] += 1
        row += strides[axis] * width
        if index[axis] < shape[axis] { break }
        row -= strides[axis] * width * shape[axis]
        index[axis] = 0
      }
    }
  }
}
