import COneDNN

/// How the elements of a tensor lie in memory, in oneDNN's terms: dims, data type and strides or blocking.
final class MemoryDescriptor: Sendable, Hashable {
  let raw: dnnl_memory_desc_t

  init(_ raw: dnnl_memory_desc_t) { self.raw = raw }

  /// A plain layout with the given strides (in elements); a scalar counts as one element of rank 1.
  convenience init(shape: Shape, dtype: DType, strides: [Int]? = nil) {
    let dims = shape.isEmpty ? [1] : shape.map(Int64.init)
    let steps = shape.isEmpty ? [1] : (strides ?? shape.rowMajorStrides).map(Int64.init)
    var raw = dnnl_memory_desc_t()
    OneDNN.check(
      dnnl_memory_desc_init_by_strides(&raw, Int32(dims.count), dims, dtype.oneDNN, steps),
      "a layout of \(shape.shapeText)")
    self.init(raw)
  }

  /// A request: the primitive chooses the layout.
  static func any(_ shape: Shape, _ dtype: DType = .float32) -> MemoryDescriptor {
    var raw = dnnl_memory_desc_t()
    OneDNN.check(
      dnnl_memory_desc_init_by_tag(
        &raw, Int32(shape.count), shape.map(Int64.init), dtype.oneDNN, dnnl_format_tag_any),
      "a free layout of \(shape.shapeText)")
    return MemoryDescriptor(raw)
  }

  /// Whether these are weights after one of Winograd's transforms, which only row-major weights can be brought into.
  var isTransformed: Bool { raw.format_kind == dnnl_format_kind_wino }

  /// The most channels that oneDNN's kernels keep together.
  static let largestChannelBlock = 16

  /// Float32 N×C×spatial (one to three axes) with channels in blocks of 8 or 16, as direct and Winograd convolutions like it.
  static func blockedChannels(_ shape: Shape, block: Int) -> MemoryDescriptor {
    let tags = [
      3: (dnnl_nCw8c, dnnl_nCw16c), 4: (dnnl_nChw8c, dnnl_nChw16c), 5: (dnnl_nCdhw8c, dnnl_nCdhw16c),
    ]
    guard let (eight, sixteen) = tags[shape.count] else {
      requirementFailure("channels of \(shape.shapeText) in blocks")
    }
    var raw = dnnl_memory_desc_t()
    OneDNN.check(
      dnnl_memory_desc_init_by_tag(
        &raw, Int32(shape.count), shape.map(Int64.init), dnnl_f32, block == 8 ? eight : sixteen),
      "channels of \(shape.shapeText) in blocks of \(block)")
    return MemoryDescriptor(raw)
  }

  /// Float32 filters of a depthwise convolution over two axes, C×1×1×H×W, in blocks of 16 of them.
  static func blockedFilters(_ shape: Shape) -> MemoryDescriptor {
    var raw = dnnl_memory_desc_t()
    OneDNN.check(
      dnnl_memory_desc_init_by_tag(&raw, Int32(shape.count), shape.map(Int64.init), dnnl_f32, dnnl_Goihw16g),
      "filters of \(shape.shapeText) in blocks")
    return MemoryDescriptor(raw)
  }

  /// Float32 filters of one pixel, O×I×1×1, in blocks of 16 of both: (O/16)×(I/16)×16 inputs×16 outputs.
  static func blockedMatrix(_ shape: Shape) -> MemoryDescriptor {
    var raw = dnnl_memory_desc_t()
    OneDNN.check(
      dnnl_memory_desc_init_by_tag(
        &raw, Int32(shape.count), shape.map(Int64.init), dnnl_f32, dnnl_OIhw16i16o),
      "filters of \(shape.shapeText) in blocks")
    return MemoryDescriptor(raw)
  }

  /// How many channels lie together, when the channels and nothing else are in blocks of 8 or 16.
  var channelBlock: Int? {
    guard raw.format_kind == dnnl_blocked, raw.ndims == 4 else { return nil }
    let blocking = raw.format_desc.blocking
    guard blocking.inner_nblks == 1, blocking.inner_idxs.0 == 1 else { return nil }
    return [8, 16].first { $0 == blocking.inner_blks.0 }
  }

  /// Row-major float32, the most common case.
  static func rowMajor(_ shape: Shape) -> MemoryDescriptor { MemoryDescriptor(shape: shape, dtype: .float32) }

  /// Row-major values of any type; those that oneDNN lacks count as bytes.
  static func rowMajor(of spec: TensorSpec) -> MemoryDescriptor {
    if spec.dtype == .float32 { return .rowMajor(spec.shape) }
    return MemoryDescriptor(shape: [spec.shape.elementCount * spec.dtype.byteCount], dtype: .uint8)
  }

  /// What an absent operand (a convolution without bias) is called.
  static let none = MemoryDescriptor(dnnl_memory_desc_t())

  var byteCount: Int { withUnsafePointer(to: raw) { dnnl_memory_desc_get_size($0) } }

  var shape: Shape { prefix(of: \.dims) }

  /// The element type, bytes counting as integers.
  var dtype: DType {
    switch raw.data_type {
    case dnnl_f32: .float32
    case dnnl_f16: .float16
    case dnnl_bf16: .bfloat16
    case dnnl_s32: .int32
    default: .uint8
    }
  }

  /// Strides when the layout is plain (row-major, channels-last, any permutation or gap), nil when it is blocked.
  var plainStrides: [Int]? {
    guard raw.format_kind == dnnl_blocked, raw.format_desc.blocking.inner_nblks == 0, raw.extra.flags == 0
    else { return nil }
    return prefix(of: \.format_desc.blocking.strides)
  }

  /// True when the layout has no gaps but those that fill up blocks.
  var isDense: Bool {
    guard plainStrides != nil else { return true }
    return byteCount == shape.elementCount * dtype.byteCount
  }

  /// True when padding was added to fill whole blocks: the bytes then hold more than the elements.
  var isPadded: Bool { prefix(of: \.dims) != prefix(of: \.padded_dims) }

  private typealias Dims = (
    Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64
  )

  private func prefix(of path: KeyPath<dnnl_memory_desc_t, Dims>) -> [Int] {
    withUnsafeBytes(of: raw[keyPath: path]) { bytes in
      bytes.bindMemory(to: Int64.self).prefix(Int(raw.ndims)).map(Int.init)
    }
  }

  static func == (a: MemoryDescriptor, b: MemoryDescriptor) -> Bool {
    a === b
      || withUnsafePointer(to: a.raw) { x in
        withUnsafePointer(to: b.raw) { y in dnnl_memory_desc_equal(x, y) != 0 }
      }
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(raw.ndims)
    hasher.combine(raw.dims.0)
    hasher.combine(raw.dims.1)
    hasher.combine(raw.dims.2)
    hasher.combine(raw.dims.3)
    hasher.combine(raw.format_kind.rawValue)
    if raw.format_kind == dnnl_blocked {
      hasher.combine(raw.format_desc.blocking.inner_nblks)
      hasher.combine(raw.format_desc.blocking.strides.0)
      hasher.combine(raw.format_desc.blocking.strides.1)
    }
  }
}

extension DType {
  /// oneDNN's name for the type. Booleans travel as bytes; 64-bit integers have no counterpart.
  var oneDNN: dnnl_data_type_t {
    switch self {
    case .float32: dnnl_f32
    case .float16: dnnl_f16
    case .bfloat16: dnnl_bf16
    case .int32: dnnl_s32
    case .uint8, .bool: dnnl_u8
    case .int64: requirementFailure("oneDNN has no 64-bit integers")
    }
  }
}
