import AviaryTensors

/// An element type that files store; wider than what tensors hold.
///
/// The types that ``DType`` lacks are converted on load: float64 to float32, integers to the next of int32 and int64 that holds
/// every value.
enum ElementFormat: String, Sendable {
  case float64, float32, float16, bfloat16
  case int8, int16, int32, int64, uint8, uint16, uint32, uint64
  case bool

  init(_ dtype: DType) { self = ElementFormat(rawValue: dtype.rawValue)! }

  var byteCount: Int {
    switch self {
    case .float64, .int64, .uint64: 8
    case .float32, .int32, .uint32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .int8, .uint8, .bool: 1
    }
  }

  /// The type of a tensor read from this.
  var dtype: DType {
    switch self {
    case .float64, .float32: .float32
    case .float16: .float16
    case .bfloat16: .bfloat16
    case .int8, .int16, .uint16, .int32: .int32
    case .uint32, .uint64, .int64: .int64
    case .uint8: .uint8
    case .bool: .bool
    }
  }

  /// True when the file's bytes are the tensor's bytes. A Boolean's are not: anything but 0 and 1 must be made 1.
  var isVerbatim: Bool { self != .bool && rawValue == dtype.rawValue }

  /// Bytes of a tensor of this type, or nil when the shape is negative or the product does not fit into 63 bits.
  func byteCount(of shape: Shape) -> Int? {
    guard shape.allSatisfy({ $0 >= 0 }) else { return nil }
    var bytes = byteCount
    // An extent of 0 makes the product 0 but must not hide others that overflow on the way.
    for extent in shape where extent > 0 {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard !overflow else { return nil }
      bytes = product
    }
    return shape.contains(0) ? 0 : bytes
  }
}

// MARK: Tensors from bytes

extension ElementFormat {
  /// The tensor whose elements begin at `offset` of a file: mapped when the bytes can stay where they are, else copied.
  func tensor(in file: FileWindow, at offset: Int, shape: Shape, bigEndian: Bool = false) throws -> Tensor {
    if let mapped = try mapped(file, at: offset, shape, bigEndian: bigEndian) { return mapped }
    let size = byteCount(of: shape)!
    defer { file.releasePages(offset..<(offset + size)) }
    return try file.withBytes {
      try tensor(from: .init(rebasing: $0[offset..<(offset + size)]), shape: shape, bigEndian: bigEndian)
    }
  }

  /// Adds the tensor whose elements begin at `offset` of a file to `archive`: mapped when the bytes can stay where they are, else
  /// copied each time it is asked for.
  func append(
    to archive: inout WeightArchive, _ name: String, in file: FileWindow, at offset: Int, shape: Shape,
    bigEndian: Bool = false
  ) throws {
    if let mapped = try mapped(file, at: offset, shape, bigEndian: bigEndian) {
      return try archive.append(name, mapped)
    }
    // The one conversion that values can make fail is done at once.
    if self == .uint64 {
      return try archive.append(name, tensor(in: file, at: offset, shape: shape, bigEndian: bigEndian))
    }
    try archive.append(name, TensorSpec(shape, dtype)) {
      do {
        return try tensor(in: file, at: offset, shape: shape, bigEndian: bigEndian)
      } catch {
        requirementFailure("elements that were checked cannot be converted: \(error)")
      }
    }
  }

  /// The tensor when its bytes can stay where they are. Throws ``WeightsError`` when they are not all in the file.
  private func mapped(
    _ file: FileWindow, at offset: Int, _ shape: Shape, bigEndian: Bool
  ) throws -> Tensor? {
    guard let size = byteCount(of: shape), offset >= 0, size <= file.count, offset <= file.count - size else {
      throw WeightsError(
        .truncated, "\(shape.shapeText) \(self) at byte \(offset) does not fit into \(file.count) bytes")
    }
    let start = file.range.lowerBound + offset
    guard isVerbatim, start % byteCount == 0, !bigEndian || byteCount == 1, size > 0 else { return nil }
    return Tensor(mapping: file.file, byteOffset: start, shape: shape, dtype: dtype)
  }

  /// The tensor of the row-major elements that `body` writes as a file stores them: where they can stay as they are, into its own memory.
  func tensor(
    shape: Shape, bigEndian: Bool, storedFilledBy body: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws -> Tensor {
    if isVerbatim, !bigEndian || byteCount == 1 {
      return try Tensor(shape: shape, dtype: dtype, bytesFilledBy: body)
    }
    let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount(of: shape)!, alignment: 64)
    defer { stored.deallocate() }
    try body(stored)
    return try tensor(from: UnsafeRawBufferPointer(stored), shape: shape, bigEndian: bigEndian)
  }

  /// The tensor of row-major elements `bytes`, which must be as many as `shape` asks for.
  func tensor(
    from bytes: UnsafeRawBufferPointer, shape: Shape, bigEndian: Bool = false
  ) throws -> Tensor {
    guard byteCount(of: shape) == bytes.count else {
      throw WeightsError(.malformed, "\(shape.shapeText) \(self) was given \(bytes.count) bytes")
    }
    if isVerbatim, !bigEndian || byteCount == 1 {
      return Tensor(shape: shape, dtype: dtype) { if !bytes.isEmpty { $0.copyMemory(from: bytes) } }
    }
    let source = Elements(bytes: bytes, bigEndian: bigEndian)
    switch self {
    case .float64: return source.map(shape) { Float(Double(bitPattern: $0 as UInt64)) }
    case .float32: return source.map(shape) { Float(bitPattern: $0 as UInt32) }
    case .float16: return source.map(shape) { Float16(bitPattern: $0 as UInt16) }
    case .bfloat16: return source.map(shape) { BFloat16(bitPattern: $0 as UInt16) }
    case .int8: return source.map(shape) { Int32($0 as Int8) }
    case .int16: return source.map(shape) { Int32($0 as Int16) }
    case .uint16: return source.map(shape) { Int32($0 as UInt16) }
    case .int32: return source.map(shape) { $0 as Int32 }
    case .uint32: return source.map(shape) { Int64($0 as UInt32) }
    case .int64: return source.map(shape) { $0 as Int64 }
    case .uint64:
      return try source.map(shape) { (value: UInt64) throws -> Int64 in
        guard let value = Int64(exactly: value) else {
          throw WeightsError(.unsupported, "the uint64 value \(value) does not fit into int64")
        }
        return value
      }
    case .uint8: return source.map(shape) { $0 as UInt8 }
    case .bool: return source.map(shape) { ($0 as UInt8) != 0 }
    }
  }

  private struct Elements {
    let bytes: UnsafeRawBufferPointer
    let bigEndian: Bool

    func map<Stored: FixedWidthInteger & BitwiseCopyable, Scalar: TensorScalar>(
      _ shape: Shape, _ convert: (Stored) throws -> Scalar
    ) rethrows -> Tensor {
      try Tensor(shape: shape, dtype: Scalar.dtype) { target in
        let values = target.bindMemory(to: Scalar.self)
        for index in values.indices {
          let raw = bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Stored>.size, as: Stored.self)
          values[index] = try convert(bigEndian ? Stored(bigEndian: raw) : Stored(littleEndian: raw))
        }
      }
    }
  }
}
