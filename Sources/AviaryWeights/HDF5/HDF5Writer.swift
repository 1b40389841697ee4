import AviaryTensors
import CHDF5

/// Creates HDF5 files in the oldest form of the format, which every reader knows: the form that h5py writes by default.
struct HDF5Writer {
  /// A group being written.
  struct Group {
    fileprivate let handle: HDF5Handle
  }

  /// Lets `body` fill the root group of a new file at `path` with datasets of the given sizes in bytes, complete or not at all.
  ///
  /// libhdf5 crashes when a file cannot be closed because the disk is full, so there has to be room before anything is written.
  static func write(to path: String, sizes: [Int], _ body: (Group) throws -> Void) throws {
    // What libhdf5 writes beside the values: groups, headers, attributes.
    let room = sizes.reduce(64 << 10) { $0 + $1 + (16 << 10) }
    try AtomicFile.write(to: path) { file in
      try file.reserve(room)
      try HDF5Library.run {
        let access = try HDF5Handle(
          H5Pcreate(aviary_h5_class_file_access()), .unwritable, "libhdf5 does not start")
        H5Pset_fclose_degree(access.id, H5F_CLOSE_STRONG)
        aviary_h5_skip_file_lock(access.id)
        let id = H5Fcreate(file.temporaryPath, aviary_h5_truncate(), 0, access.id)
        guard id >= 0 else { throw HDF5Library.failure(.unwritable, "cannot write") }
        do {
          // Creating the file emptied it.
          try file.reserve(room)
          try body(Group(handle: try HDF5Handle(H5Gopen2(id, "/", 0), .unwritable, "cannot write")))
          var size: hsize_t = 0
          guard H5Fflush(id, H5F_SCOPE_GLOBAL) >= 0, H5Fget_filesize(id, &size) >= 0, H5Fclose(id) >= 0 else {
            throw HDF5Library.failure(.unwritable, "cannot write")
          }
          try file.truncate(to: Int(size))
        } catch {
          // Where no room can be reserved: once the bytes, which nobody will see, are given up, there is room to close the file.
          try? file.truncate(to: 0)
          H5Fclose(id)
          throw error
        }
      }
    }
  }
}

extension HDF5Writer.Group {
  /// A group at `relativePath`; groups on the way that exist are entered, others are created.
  func group(_ relativePath: String) throws -> Self {
    var current = self
    for step in relativePath.split(separator: "/").map(String.init) {
      let exists = H5Lexists(current.handle.id, step, 0) > 0
      let id = exists ? H5Gopen2(current.handle.id, step, 0) : H5Gcreate2(current.handle.id, step, 0, 0, 0)
      current = Self(handle: try HDF5Handle(id, .unwritable, "the group \(step.quoted) cannot be written"))
    }
    return current
  }

  /// Writes a tensor of `archive` at `relativePath` without chunks or compression, as elements of `dtype` or its own type.
  func write(_ name: String, of archive: WeightArchive, as dtype: DType? = nil, to relativePath: String)
    throws
  {
    let spec = archive.spec(name)!
    let type = dtype ?? spec.dtype
    try write(TensorSpec(spec.shape, type), to: relativePath) { write in
      try archive.forEachPiece(of: name, as: type, write)
    }
  }

  /// Writes `tensor` at `relativePath`.
  func write(_ tensor: Tensor, to relativePath: String) throws {
    try write(tensor.spec, to: relativePath) { write in try tensor.withUnsafeBytes(write) }
  }

  /// A dataset whose values `body` hands over in row-major order, a piece after another.
  ///
  /// bfloat16 goes out as Keras writes it, as two opaque bytes with a note beside them.
  private func write(
    _ spec: TensorSpec, to relativePath: String,
    _ body: (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws {
    var steps = relativePath.split(separator: "/").map(String.init)
    guard let name = steps.popLast() else {
      throw WeightsError(.unsupported, "\(relativePath.quoted) is not a path a dataset can have")
    }
    let parent = try group(steps.joined(separator: "/"))
    let failure = "the dataset \(relativePath.quoted) cannot be written"
    var extents = spec.shape.map { hsize_t($0) }
    let space = try HDF5Handle(H5Screate_simple(Int32(extents.count), &extents, nil), .unwritable, failure)
    let type = try storedType(spec.dtype)
    let data = try HDF5Handle(
      H5Dcreate2(parent.handle.id, name, type.id, space.id, 0, 0, 0), .unwritable, failure)
    let target = HDF5Target(dataset: data, space: space, type: type, shape: spec.shape)
    var done = 0
    do {
      try body { bytes in
        let count = bytes.count / spec.dtype.byteCount
        try target.write(bytes, done..<(done + count))
        done += count
      }
    } catch let error as WeightsError {
      throw error.inPart("dataset \(relativePath.quoted)")
    }
    if spec.dtype == .bfloat16 { try Self(handle: data).write("bfloat16", attribute: "dtype") }
  }

  private func storedType(_ dtype: DType) throws -> HDF5Handle {
    let predefined: hid_t
    switch dtype {
    case .float32: predefined = aviary_h5_type_float32()
    case .float16: return try Self.float16()
    case .bfloat16: return try Self.bfloat16()
    case .int32: predefined = aviary_h5_type_int32()
    case .int64: predefined = aviary_h5_type_int64()
    case .uint8: predefined = aviary_h5_type_uint8()
    case .bool: return try Self.boolean()
    }
    return try HDF5Handle(H5Tcopy(predefined), .unwritable, "libhdf5 lacks the type \(dtype)")
  }

  /// IEEE half precision, described field by field: this release of libhdf5 has no name for it.
  private static func float16() throws -> HDF5Handle {
    let type = try HDF5Handle(
      H5Tcopy(aviary_h5_type_float32()), .unwritable, "libhdf5 lacks the type float16")
    guard H5Tset_fields(type.id, 15, 10, 5, 0, 10) >= 0, H5Tset_size(type.id, 2) >= 0,
      H5Tset_ebias(type.id, 15) >= 0
    else { throw HDF5Library.failure(.unwritable, "libhdf5 lacks the type float16") }
    return type
  }

  private static func bfloat16() throws -> HDF5Handle {
    try HDF5Handle(H5Tcreate(H5T_OPAQUE, 2), .unwritable, "libhdf5 lacks opaque types")
  }

  /// An enumeration of FALSE and TRUE, as h5py stores Booleans.
  private static func boolean() throws -> HDF5Handle {
    let type = try HDF5Handle(
      H5Tenum_create(aviary_h5_type_int8()), .unwritable, "libhdf5 lacks enumerations")
    for (name, value) in [("FALSE", Int8(0)), ("TRUE", 1)] {
      var value = value
      guard H5Tenum_insert(type.id, name, &value) >= 0 else {
        throw HDF5Library.failure(.unwritable, "libhdf5 lacks enumerations")
      }
    }
    return type
  }
}

// MARK: Attributes

extension HDF5Writer.Group {
  /// The longest attribute that Keras writes in one piece, in bytes: the header it lives in ends at 64 kB.
  private static var maximumAttribute: Int { 64_512 }

  /// A single text, of variable length: Keras compares it with a string, and h5py makes bytes of fixed-length text.
  func write(_ text: String, attribute name: String) throws {
    let failure = "the attribute \(name.quoted) cannot be written"
    let space = try HDF5Handle(H5Screate(H5S_SCALAR), .unwritable, failure)
    let type = try HDF5Handle(H5Tcopy(aviary_h5_type_string()), .unwritable, failure)
    H5Tset_size(type.id, aviary_h5_variable_size())
    H5Tset_cset(type.id, H5T_CSET_UTF8)
    let attribute = try HDF5Handle(H5Acreate2(handle.id, name, type.id, space.id, 0, 0), .unwritable, failure)
    let status = text.withCString { text in
      var pointer: UnsafePointer<CChar>? = text
      return H5Awrite(attribute.id, type.id, &pointer)
    }
    guard status >= 0 else { throw HDF5Library.failure(.unwritable, failure) }
  }

  /// A list of texts, split over `name0`, `name1`, … when it is too long for one attribute.
  func write(list: [String], attribute name: String) throws {
    let width = max(1, list.map(\.utf8.count).max() ?? 1)
    let perPiece = Self.maximumAttribute / width
    guard perPiece > 0 else {
      throw WeightsError(.unsupported, "a name of \(width) bytes does not fit into an HDF5 attribute")
    }
    guard list.count > perPiece else { return try writeWhole(list, attribute: name) }
    let pieces = (list.count + perPiece - 1) / perPiece
    for piece in 0..<pieces {
      let range = (piece * list.count / pieces)..<((piece + 1) * list.count / pieces)
      try writeWhole(Array(list[range]), attribute: "\(name)\(piece)")
    }
  }

  /// Texts of fixed length, padded with zeros, which every version of h5py reads. An empty list is one of no float64, as Keras writes it.
  private func writeWhole(_ texts: [String], attribute name: String) throws {
    let failure = "the attribute \(name.quoted) cannot be written"
    var extent = hsize_t(texts.count)
    let space = try HDF5Handle(H5Screate_simple(1, &extent, nil), .unwritable, failure)
    let predefined = texts.isEmpty ? aviary_h5_type_float64() : aviary_h5_type_string()
    let type = try HDF5Handle(H5Tcopy(predefined), .unwritable, failure)
    let width = max(1, texts.map(\.utf8.count).max() ?? 1)
    if !texts.isEmpty {
      H5Tset_size(type.id, width)
      H5Tset_strpad(type.id, H5T_STR_NULLPAD)
      if texts.contains(where: { !$0.utf8.allSatisfy { $0 < 0x80 } }) { H5Tset_cset(type.id, H5T_CSET_UTF8) }
    }
    let attribute = try HDF5Handle(H5Acreate2(handle.id, name, type.id, space.id, 0, 0), .unwritable, failure)
    guard !texts.isEmpty else { return }
    let bytes = texts.flatMap { text in
      Array(text.utf8) + [UInt8](repeating: 0, count: width - text.utf8.count)
    }
    guard H5Awrite(attribute.id, type.id, bytes) >= 0 else { throw HDF5Library.failure(.unwritable, failure) }
  }
}
