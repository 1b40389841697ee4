import AviaryTensors
import CHDF5

/// A dataset of an HDF5 file.
struct HDF5Dataset {
  let handle: HDF5Handle
  /// From the root, without a leading slash.
  let path: String
  let file: HDF5File

  /// Datasets larger than this must not unpack to more than a thousand times their stored bytes.
  private static let bombThreshold = 256 << 20

  /// Type and shape, read from the header alone. Nil for what a tensor cannot hold: strings, structures, references.
  private struct Layout {
    let format: ElementFormat
    let bigEndian: Bool
    let shape: Shape
    let byteCount: Int
    let type: HDF5Handle
  }

  /// The values, or nil when they are not numbers. Throws ``WeightsError`` for damaged and dishonest datasets.
  ///
  /// Contiguous values stay in the mapped file.
  func tensor() throws -> Tensor? {
    do {
      guard let layout = try layout() else { return nil }
      if layout.byteCount == 0 {
        return try layout.format.tensor(from: .init(start: nil, count: 0), shape: layout.shape)
      }
      let properties = try HDF5Handle(H5Dget_create_plist(handle.id), .malformed, "its header is damaged")
      let storage = H5Pget_layout(properties.id)
      guard storage == H5D_CONTIGUOUS || storage == H5D_CHUNKED || storage == H5D_COMPACT else {
        throw WeightsError(.refused, "it is a virtual dataset, made of other files")
      }
      guard H5Pget_external_count(properties.id) == 0 else {
        throw WeightsError(.refused, "its values are in other files")
      }
      let stored = H5Dget_storage_size(handle.id)
      let offset = H5Dget_offset(handle.id)
      if storage == H5D_CONTIGUOUS {
        return try contiguous(layout, stored: stored, offset: offset)
      }
      try checkHonesty(layout, stored: stored)
      return try read(layout)
    } catch let error as WeightsError {
      throw error.inPart("dataset \(path.quoted)")
    }
  }

  /// An attribute of this dataset.
  func string(_ attribute: String) throws -> String? { try HDF5Attribute.string(attribute, of: handle) }

  private func contiguous(_ layout: Layout, stored: hsize_t, offset: haddr_t) throws -> Tensor {
    guard offset != haddr_t.max else { throw WeightsError(.malformed, "its values were never written") }
    guard stored == UInt64(layout.byteCount) else {
      throw WeightsError(
        .malformed, "\(layout.shape.shapeText) \(layout.format) needs \(layout.byteCount) bytes, \(stored) are stored")
    }
    guard offset <= UInt64(file.mapped.count) else {
      throw WeightsError(.truncated, "it begins at byte \(offset) of \(file.mapped.count)")
    }
    return try layout.format.tensor(
      in: file.mapped, at: Int(offset), shape: layout.shape, bigEndian: layout.bigEndian)
  }

  private func checkHonesty(_ layout: Layout, stored: hsize_t) throws {
    guard layout.byteCount <= Self.bombThreshold || UInt64(layout.byteCount) / 1000 <= stored else {
      throw WeightsError(.refused, "\(stored) stored bytes declare \(layout.byteCount): a decompression bomb")
    }
    try file.account(for: layout.byteCount)
  }

  private func read(_ layout: Layout) throws -> Tensor {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: layout.byteCount, alignment: 64)
    defer { bytes.deallocate() }
    guard H5Dread(handle.id, layout.type.id, 0, 0, 0, bytes.baseAddress) >= 0 else {
      throw HDF5Library.failure(.malformed, "its values cannot be read")
    }
    return try layout.format.tensor(
      from: UnsafeRawBufferPointer(bytes), shape: layout.shape, bigEndian: layout.bigEndian)
  }

  private func layout() throws -> Layout? {
    let type = try HDF5Handle(H5Dget_type(handle.id), .malformed, "its element type is damaged")
    guard let format = try format(of: type) else { return nil }
    let space = try HDF5Handle(H5Dget_space(handle.id), .malformed, "its shape is damaged")
    let rank = H5Sget_simple_extent_ndims(space.id)
    guard rank >= 0, rank <= 32 else { throw HDF5Library.failure(.malformed, "its shape is damaged") }
    var extents = [hsize_t](repeating: 0, count: Int(rank))
    guard H5Sget_simple_extent_dims(space.id, &extents, nil) == rank else {
      throw HDF5Library.failure(.malformed, "its shape is damaged")
    }
    // A null dataspace has rank 0 and no element at all.
    let shape = H5Sget_simple_extent_type(space.id) == H5S_NULL ? [0] : extents.map { Int(clamping: $0) }
    guard let byteCount = format.byteCount(of: shape) else {
      throw WeightsError(.malformed, "the shape \(shape) is not possible")
    }
    return Layout(
      format: format, bigEndian: H5Tget_order(type.id) == H5T_ORDER_BE, shape: shape, byteCount: byteCount,
      type: type)
  }

  private func format(of type: HDF5Handle) throws -> ElementFormat? {
    // Keras stores bfloat16 as two bytes of another type and says so beside them.
    if H5Tget_size(type.id) == 2, try string("dtype") == "bfloat16" { return .bfloat16 }
    return HDF5Types.format(of: type.id)
  }
}

/// Which of libhdf5's types are which element formats.
enum HDF5Types {
  static func format(of type: hid_t) -> ElementFormat? {
    let size = H5Tget_size(type)
    switch H5Tget_class(type) {
    case H5T_FLOAT: return float(type, size)
    case H5T_INTEGER: return integer(type, size)
    // h5py stores Booleans as an enumeration of bytes.
    case H5T_ENUM: return size == 1 && H5Tget_nmembers(type) == 2 ? .bool : nil
    default: return nil
    }
  }

  /// By the widths of exponent and fraction: a file can describe any floating-point format it likes.
  private static func float(_ type: hid_t, _ size: Int) -> ElementFormat? {
    var sign = 0
    var exponentPosition = 0
    var exponentBits = 0
    var fractionPosition = 0
    var fractionBits = 0
    let status = H5Tget_fields(type, &sign, &exponentPosition, &exponentBits, &fractionPosition, &fractionBits)
    guard status >= 0, fractionPosition == 0, exponentPosition == fractionBits, sign == size * 8 - 1,
      H5Tget_offset(type) == 0, H5Tget_order(type) == H5T_ORDER_LE || H5Tget_order(type) == H5T_ORDER_BE
    else { return nil }
    switch (size, exponentBits, fractionBits, H5Tget_ebias(type)) {
    case (8, 11, 52, 1023): return .float64
    case (4, 8, 23, 127): return .float32
    case (2, 5, 10, 15): return .float16
    case (2, 8, 7, 127): return .bfloat16
    default: return nil
    }
  }

  private static func integer(_ type: hid_t, _ size: Int) -> ElementFormat? {
    guard H5Tget_precision(type) == size * 8, H5Tget_offset(type) == 0 else { return nil }
    switch (size, H5Tget_sign(type) == H5T_SGN_2) {
    case (1, true): return .int8
    case (2, true): return .int16
    case (4, true): return .int32
    case (8, true): return .int64
    case (1, false): return .uint8
    case (2, false): return .uint16
    case (4, false): return .uint32
    case (8, false): return .uint64
    default: return nil
    }
  }
}
