import CHDF5

/// Attributes that hold text, in every form that h5py has written them: fixed-length or variable-length, one or many.
enum HDF5Attribute {
  /// The text of an attribute, or nil when it is missing or no text.
  static func string(_ name: String, of object: HDF5Handle) throws -> String? {
    try strings(name, of: object)?.first
  }

  /// The texts of an attribute; empty when it holds no text, as for layers without weights, whose empty list is one of numbers; nil
  /// when there is no such attribute.
  static func strings(_ name: String, of object: HDF5Handle) throws -> [String]? {
    guard H5Aexists(object.id, name) > 0 else { return nil }
    do {
      let attribute = try HDF5Handle(H5Aopen(object.id, name, 0), .malformed, "it is damaged")
      let type = try HDF5Handle(H5Aget_type(attribute.id), .malformed, "its type is damaged")
      guard H5Tget_class(type.id) == H5T_STRING else { return [] }
      let space = try HDF5Handle(H5Aget_space(attribute.id), .malformed, "its shape is damaged")
      let count = Int(H5Sget_simple_extent_npoints(space.id))
      guard count >= 0, count <= 1 << 20 else { throw WeightsError(.refused, "it declares \(count) texts") }
      if count == 0 { return [] }
      return H5Tis_variable_str(type.id) > 0
        ? try variable(attribute, type, space, count: count) : try fixed(attribute, type, count: count)
    } catch let error as WeightsError {
      throw error.inPart("attribute \(name.quoted)")
    }
  }

  /// A list that may be split over `name0`, `name1`, … because an attribute cannot be longer than 64 kB.
  static func list(_ name: String, of object: HDF5Handle) throws -> [String]? {
    if let strings = try strings(name, of: object) { return strings }
    guard var all = try strings("\(name)0", of: object) else { return nil }
    for part in 1..<100_000 {
      guard let strings = try strings("\(name)\(part)", of: object) else { break }
      all += strings
    }
    return all
  }

  private static func fixed(_ attribute: HDF5Handle, _ type: HDF5Handle, count: Int) throws -> [String] {
    let size = H5Tget_size(type.id)
    let (total, overflow) = size.multipliedReportingOverflow(by: count)
    guard size > 0, !overflow, total <= 64 << 20 else { throw WeightsError(.refused, "its texts are too long") }
    var bytes = [UInt8](repeating: 0, count: total)
    guard H5Aread(attribute.id, type.id, &bytes) >= 0 else {
      throw HDF5Library.failure(.malformed, "it cannot be read")
    }
    let padding: UInt8 = H5Tget_strpad(type.id) == H5T_STR_SPACEPAD ? 0x20 : 0
    return try (0..<count).map { index in
      var text = bytes[(index * size)..<((index + 1) * size)]
      if let end = text.firstIndex(of: 0) { text = text[..<end] }
      while padding != 0, text.last == padding { text.removeLast() }
      return try validated(text)
    }
  }

  private static func variable(
    _ attribute: HDF5Handle, _ type: HDF5Handle, _ space: HDF5Handle, count: Int
  ) throws -> [String] {
    var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
    // The memory type must be a C string: reading with the file's type would only copy references.
    let memory = try HDF5Handle(H5Tcopy(aviary_h5_type_string()), .unsupported, "libhdf5 has no strings")
    guard H5Tset_size(memory.id, aviary_h5_variable_size()) >= 0, H5Tset_cset(memory.id, H5Tget_cset(type.id)) >= 0,
      H5Aread(attribute.id, memory.id, &pointers) >= 0
    else { throw HDF5Library.failure(.malformed, "it cannot be read") }
    defer { H5Dvlen_reclaim(memory.id, space.id, 0, &pointers) }
    return try pointers.map { pointer in
      guard let pointer else { return "" }
      guard let text = String(validatingCString: pointer) else {
        throw WeightsError(.malformed, "a text is not UTF-8")
      }
      return text
    }
  }

  private static func validated(_ bytes: ArraySlice<UInt8>) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw WeightsError(.malformed, "a text is not UTF-8")
    }
    return text
  }
}
