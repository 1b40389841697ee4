import AviaryTensors

/// The type of a dataset's or an attribute's elements.
struct HDF5Datatype {
  enum Kind: Equatable {
    case number(ElementFormat, bigEndian: Bool)
    /// Fixed-length text, padded with this byte.
    case text(padding: UInt8)
    /// Text in a heap.
    case heapText
    /// Structures, references and other things that neither tensors nor names are made of.
    case other
  }

  let kind: Kind
  /// Bytes of an element in the file.
  let byteCount: Int

  init(_ reader: inout ByteReader) throws {
    let classCode = try reader.uint8() & 0x0F
    let bits = (try reader.uint8(), try reader.uint8(), try reader.uint8())
    byteCount = Int(try reader.uint32())
    guard byteCount > 0 else { throw WeightsError(.malformed, "its elements have no size") }
    switch classCode {
    case 0: kind = try Self.integer(&reader, size: byteCount, flags: bits.0)
    case 1: kind = try Self.float(&reader, size: byteCount, flags: bits.0, signBit: bits.1)
    case 3: kind = .text(padding: bits.0 & 0x0F == 2 ? 0x20 : 0)
    // NumPy has no bfloat16; its arrays are two bytes of nothing in particular, here as in `.npy` files.
    case 5: kind = byteCount == 2 ? .number(.bfloat16, bigEndian: false) : .other
    // h5py stores Booleans as an enumeration of two bytes.
    case 8: kind = byteCount == 1 && bits.0 == 2 && bits.1 == 0 ? .number(.bool, bigEndian: false) : .other
    case 9: kind = bits.0 & 0x0F == 1 && byteCount == 16 ? .heapText : .other
    default: kind = .other
    }
  }

  private static func integer(_ reader: inout ByteReader, size: Int, flags: UInt8) throws -> Kind {
    let offset = try reader.uint16()
    let precision = Int(try reader.uint16())
    guard offset == 0, precision == size * 8 else { return .other }
    let name = (flags & 8 != 0 ? "int" : "uint") + String(precision)
    guard let format = ElementFormat(rawValue: name) else { return .other }
    return .number(format, bigEndian: flags & 1 != 0)
  }

  /// By the widths of exponent and fraction: a file can describe any floating-point format it likes.
  private static func float(
    _ reader: inout ByteReader, size: Int, flags: UInt8, signBit: UInt8
  ) throws -> Kind {
    let offset = try reader.uint16()
    let precision = Int(try reader.uint16())
    let exponent = (position: try reader.uint8(), bits: try reader.uint8())
    let fraction = (position: try reader.uint8(), bits: try reader.uint8())
    let bias = try reader.uint32()
    let isUsual =
      offset == 0 && precision == size * 8 && Int(signBit) == precision - 1 && fraction.position == 0
      && exponent.position == fraction.bits && flags & 0x40 == 0
    let format: ElementFormat? =
      switch (size, exponent.bits, fraction.bits, bias) {
      case (8, 11, 52, 1023): .float64
      case (4, 8, 23, 127): .float32
      case (2, 5, 10, 15): .float16
      case (2, 8, 7, 127): .bfloat16
      default: nil
      }
    guard isUsual, let format else { return .other }
    return .number(format, bigEndian: flags & 1 != 0)
  }
}

/// The shape of a dataset or an attribute.
enum HDF5Dataspace {
  static func shape(_ reader: inout ByteReader) throws -> Shape {
    let version = try reader.uint8()
    let rank = Int(try reader.uint8())
    try reader.skip(1)
    guard version == 1 || version == 2 else {
      throw WeightsError(.unsupported, "its shape is of the unknown version \(version)")
    }
    guard rank <= 32 else { throw WeightsError(.malformed, "its shape has \(rank) axes, HDF5 allows 32") }
    if version == 1 {
      try reader.skip(5)
    } else if try reader.uint8() == 2 {
      // The null dataspace: no element at all.
      return [0]
    }
    return try (0..<rank).map { _ in try reader.count64() }
  }
}
