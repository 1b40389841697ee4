import COneDNN

extension Tensor {
  /// How this tensor lies in memory, for a primitive.
  var descriptor: MemoryDescriptor {
    switch layout {
    case .rowMajor: MemoryDescriptor(shape: shape, dtype: dtype)
    case .strided(let strides, _): MemoryDescriptor(shape: shape, dtype: dtype, strides: strides)
    case .blocked(let descriptor): descriptor
    }
  }

  /// Where the first element lies.
  var pointer: UnsafeMutableRawPointer {
    if case .strided(_, let offset) = layout { return storage.pointer + offset * dtype.byteCount }
    return storage.pointer
  }

  /// Uninitialised memory in a layout that a primitive chose. oneDNN's kernels fill the padding of blocks with zeros.
  init(_ descriptor: MemoryDescriptor, shape: Shape, dtype: DType = .float32) {
    let storage = Storage(byteCount: Swift.max(descriptor.byteCount, 1))
    let layout: Layout =
      if let strides = descriptor.plainStrides, strides.count == shape.count {
        .strides(strides, offset: 0, shape: shape)
      } else if shape.isEmpty {
        .rowMajor
      } else {
        .blocked(descriptor)
      }
    self.init(shape: shape, dtype: dtype, storage: storage, layout: layout)
  }

  /// The same values, lying as `descriptor` says; itself when they already do.
  func reordered(to target: MemoryDescriptor) -> Tensor {
    if descriptor == target { return self }
    let source = target.isTransformed ? rowMajor() : self
    // Between floating-point types a reorder converts.
    let result = Tensor(target, shape: shape, dtype: dtype.isFloatingPoint ? target.dtype : dtype)
    withExtendedLifetime(source) {
      Tensor.copy(source.descriptor, source.pointer, to: target, result.pointer)
    }
    return result
  }

  /// As ``reordered(to:)``, for weights: the copy stays with this tensor's storage for the next run.
  func packed(to target: MemoryDescriptor) -> Tensor {
    let source = descriptor
    if source == target { return self }
    let offset = pointer - storage.pointer
    return storage.packedCopy(.init(source: source, offset: offset, target: target)) { reordered(to: target) }
  }

  /// The same values, dense and in logical order; itself when they already are.
  func rowMajor() -> Tensor {
    switch layout {
    case .rowMajor:
      return self
    case .strided(let strides, _)
    where shape.count > 6 || !dtype.hasReorder || !strides.allSatisfy({ $0 > 0 }):
      return gatheredRowMajor()
    case .strided, .blocked:
      let target = MemoryDescriptor(shape: shape, dtype: dtype)
      let result = Tensor(shape: shape, dtype: dtype, storage: Storage(byteCount: Swift.max(byteCount, 1)))
      if count > 0 { Tensor.copy(descriptor, pointer, to: target, result.pointer) }
      return result
    }
  }

  private static func copy(
    _ source: MemoryDescriptor, _ from: UnsafeMutableRawPointer, to target: MemoryDescriptor,
    _ into: UnsafeMutableRawPointer
  ) {
    Primitive.reorder(from: source, to: target)
      .execute([.init(DNNL_ARG_FROM, source, from), .init(DNNL_ARG_TO, target, into)])
  }

  /// Row-major copy of a view by a loop of our own: for element types oneDNN lacks and for strides it cannot describe.
  func gatheredRowMajor() -> Tensor {
    guard case .strided(let strides, _) = layout else { return self }
    switch dtype.byteCount {
    case 1: return gathered(strides, UInt8.self)
    case 2: return gathered(strides, UInt16.self)
    case 4: return gathered(strides, UInt32.self)
    default: return gathered(strides, UInt64.self)
    }
  }

  private func gathered<Word: BitwiseCopyable>(_ strides: [Int], _ type: Word.Type) -> Tensor {
    let result = Tensor(shape: shape, dtype: dtype, storage: Storage(byteCount: Swift.max(byteCount, 1)))
    guard count > 0, let inner = shape.last else {
      if shape.isEmpty { result.storage.pointer.copyMemory(from: pointer, byteCount: dtype.byteCount) }
      return result
    }
    let source = Unchecked(UnsafePointer(pointer.assumingMemoryBound(to: Word.self)))
    let target = Unchecked(result.storage.pointer.bindMemory(to: Word.self, capacity: count))
    let innerStride = strides[strides.count - 1]
    let outer = Array(shape.dropLast())
    Parallel.forEachRange(count / inner, grain: Swift.max(1, 16_384 / inner)) { rows in
      var cursor = Odometer(shape: outer, strides: Array(strides.dropLast()), start: rows.lowerBound)
      for row in rows {
        let from = source.value + cursor.offset
        let to = target.value + row * inner
        for index in 0..<inner { to[index] = from[index &* innerStride] }
        cursor.advance()
      }
    }
    return result
  }
}

extension DType {
  fileprivate var hasReorder: Bool {
    switch self {
    case .float32, .bfloat16, .int32, .uint8, .bool: true
    case .float16, .int64: false
    }
  }
}
