import AviaryTensors

/// The header of a `.npy` array: element type, order and shape.
struct NpyHeader {
  let format: ElementFormat
  let bigEndian: Bool
  /// The first axis varies fastest, as in Fortran.
  let fortranOrder: Bool
  let shape: Shape
  /// Where the elements begin.
  let dataStart: Int

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  init(_ bytes: UnsafeRawBufferPointer) throws {
    var reader = ByteReader(bytes)
    guard try reader.bytes(6).elementsEqual(Self.magic) else {
      throw WeightsError(.malformed, "it does not begin like a NumPy array")
    }
    let version = try reader.bytes(2)
    guard (1...3).contains(version[0]) else {
      throw WeightsError(.unsupported, "version \(version[0]).\(version[1]) of the NumPy format is not known")
    }
    let length = version[0] == 1 ? Int(try reader.uint16()) : Int(try reader.uint32())
    guard length <= 1 << 20 else { throw WeightsError(.malformed, "a header of \(length) bytes is too long") }
    var literal = PythonLiteral(try reader.bytes(length))
    dataStart = reader.position
    var fields: [String: PythonLiteral.Value] = [:]
    for (key, value) in try literal.dictionary() where fields.updateValue(value, forKey: key) != nil {
      throw WeightsError(.malformed, "the header has two fields \(key.quoted)")
    }
    guard case .string(let description)? = fields["descr"],
      case .bool(let fortran)? = fields["fortran_order"],
      case .tuple(let shape)? = fields["shape"]
    else {
      throw WeightsError(
        .unsupported, "the header lacks descr, fortran_order or shape, or they are not simple")
    }
    guard shape.count <= 32, shape.allSatisfy({ $0 >= 0 }) else {
      throw WeightsError(.malformed, "the shape \(shape.prefix(40)) is not possible")
    }
    (format, bigEndian) = try Self.element(description)
    fortranOrder = fortran
    self.shape = shape
  }

  private static let codes: [String: ElementFormat] = [
    "f8": .float64, "f4": .float32, "f2": .float16, "b1": .bool,
    "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64,
    "u1": .uint8, "u2": .uint16, "u4": .uint32, "u8": .uint64,
    // NumPy has no bfloat16; ml_dtypes' arrays are stored as two bytes of nothing in particular.
    "V2": .bfloat16,
  ]

  private static func element(_ description: String) throws -> (ElementFormat, bigEndian: Bool) {
    guard let order = description.first, "<>|=".contains(order),
      let format = codes[String(description.dropFirst())]
    else {
      let hint = description.hasSuffix("O") ? " (Python objects would have to be unpickled)" : ""
      throw WeightsError(.unsupported, "the element type \(description.quoted) is not supported\(hint)")
    }
    return (format, order == ">")
  }

  /// A version 1 header, padded so that the elements begin at a multiple of 64.
  static func bytes(dtype: DType, shape: Shape) -> [UInt8] {
    let code = dtype == .bfloat16 ? "V2" : codes.first { $0.value == ElementFormat(dtype) }!.key
    let order = dtype.byteCount == 1 || dtype == .bfloat16 ? "|" : "<"
    let extents = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text = Array("{'descr': '\(order)\(code)', 'fortran_order': False, 'shape': (\(extents)), }".utf8)
    let unpadded = 10 + text.count + 1
    text += [UInt8](repeating: 0x20, count: (64 - unpadded % 64) % 64) + [0x0A]
    return magic + [1, 0] + withUnsafeBytes(of: UInt16(text.count).littleEndian) { Array($0) } + text
  }
}

/// The small part of Python's literals that headers of `.npy` use: a dictionary of strings, Booleans and tuples of integers.
struct PythonLiteral {
  enum Value {
    case string(String)
    case bool(Bool)
    case tuple([Int])
  }

  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private var next: UInt8? {
    mutating get {
      while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x0A { position += 1 }
      return position < bytes.count ? bytes[position] : nil
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private func failure() -> WeightsError {
    WeightsError(.malformed, "the array's header is not understood at its byte \(position)")
  }

  mutating func dictionary() throws -> [(String, Value)] {
    var members: [(String, Value)] = []
    guard take("{") else { throw failure() }
    while !take("}") {
      let key = try string()
      guard take(":") else { throw failure() }
      members.append((key, try value()))
      guard take(",") || next == UInt8(ascii: "}") else { throw failure() }
    }
    guard next == nil else { throw failure() }
    return members
  }

  private mutating func value() throws -> Value {
    switch next {
    case UInt8(ascii: "'"), UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "("): return .tuple(try tuple())
    default:
      for (word, value) in [("True", true), ("False", false)]
      where bytes[position...].prefix(word.utf8.count).elementsEqual(word.utf8) {
        position += word.utf8.count
        return .bool(value)
      }
      throw failure()
    }
  }

  private mutating func string() throws -> String {
    guard let quote = next, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\""),
      let end = bytes[(position + 1)...].firstIndex(of: quote),
      let text = String(validating: bytes[(position + 1)..<end], as: UTF8.self), !text.contains("\\")
    else { throw failure() }
    position = end + 1
    return text
  }

  private mutating func tuple() throws -> [Int] {
    var extents: [Int] = []
    guard take("(") else { throw failure() }
    while !take(")") {
      _ = next
      let digits = bytes[position...].prefix { (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }
      guard let extent = Int(String(decoding: digits, as: UTF8.self)) else { throw failure() }
      position += digits.count
      extents.append(extent)
      // Python 2 wrote long integers as 3L.
      _ = take("L")
      guard take(",") || next == UInt8(ascii: ")") else { throw failure() }
    }
    return extents
  }
}
