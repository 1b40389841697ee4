import AviaryTensors

/// The parsed and checked header of a safetensors file.
struct SafetensorsHeader {
  struct Entry {
    let name: String
    let format: ElementFormat
    let shape: Shape
    /// Bytes from the beginning of the file.
    let range: Range<Int>
  }

  /// In the order of the header.
  let entries: [Entry]
  let metadata: [String: String]
  /// Where the data begins.
  let dataStart: Int

  private static let maximumByteCount = 100_000_000

  /// Checks everything that can be known without the data.
  init(_ file: FileWindow) throws {
    try self.init(file.withBytes { try Self.members($0, file.budget) }, fileSize: file.count)
  }

  /// The members of the header's object, and where the data begins.
  private static func members(
    _ bytes: UnsafeRawBufferPointer, _ budget: ReadingBudget
  ) throws -> ([(key: String, value: JSONScanner.Value)], dataStart: Int) {
    guard bytes.count >= 8 else {
      throw WeightsError(.truncated, "a safetensors file has at least 8 bytes, this one \(bytes.count)")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= maximumByteCount else {
      throw WeightsError(.malformed, "a header of \(length) bytes is over the limit of 100 MB")
    }
    let dataStart = 8 + Int(length)
    guard dataStart <= bytes.count else {
      throw WeightsError(.truncated, "the header promises \(length) bytes, the file has \(bytes.count)")
    }
    // Readers differ in whether they allow blanks before it; the specification does not.
    guard dataStart > 8, bytes[8] == UInt8(ascii: "{") else {
      let found = dataStart > 8 ? "the byte 0x\(String(bytes[8], radix: 16))" : "nothing"
      throw WeightsError(
        .malformed, "the header of a safetensors file must begin with '{' at byte 8, there is \(found)")
    }
    guard case .object(let members) = try JSONScanner.scan(Array(bytes[8..<dataStart]), budget) else {
      throw WeightsError(.malformed, "the header is not a JSON object")
    }
    return (members, dataStart)
  }

  private init(
    _ header: ([(key: String, value: JSONScanner.Value)], dataStart: Int), fileSize: Int
  ) throws {
    let (members, dataStart) = header
    var metadata: [String: String] = [:]
    var entries: [Entry] = []
    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Self.strings(value)
      } else {
        do {
          entries.append(try Self.entry(name, value, dataStart: dataStart))
        } catch let error as WeightsError {
          throw error.inPart("tensor \(name.quoted)")
        }
      }
    }
    self.entries = entries
    self.metadata = metadata
    self.dataStart = dataStart
    try checkTiling(fileSize: fileSize)
  }

  private static func strings(_ value: JSONScanner.Value) throws -> [String: String] {
    // The reference reader takes null for absent.
    if case .null = value { return [:] }
    guard case .object(let members) = value else {
      throw WeightsError(.malformed, "__metadata__ is not an object")
    }
    return try Dictionary(
      uniqueKeysWithValues: members.map { key, value in
        guard case .string(let text) = value else {
          throw WeightsError(.malformed, "__metadata__ \(key.quoted) is not a string")
        }
        return (key, text)
      })
  }

  private static func entry(_ name: String, _ value: JSONScanner.Value, dataStart: Int) throws -> Entry {
    guard case .object(let members) = value else { throw WeightsError(.malformed, "not an object") }
    let fields = Dictionary(uniqueKeysWithValues: members)
    guard case .string(let code)? = fields["dtype"], let shape = integers(fields["shape"]),
      let offsets = integers(fields["data_offsets"]), offsets.count == 2
    else { throw WeightsError(.malformed, "dtype, shape or data_offsets is missing or of the wrong type") }
    guard let format = ElementFormat(safetensorsCode: code) else {
      throw WeightsError(.unsupported, "the element type \(code.quoted) is not supported")
    }
    guard shape.count <= 32, let size = format.byteCount(of: shape) else {
      throw WeightsError(.malformed, "the shape \(shape.prefix(40)) is not possible")
    }
    guard offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= Int.max - dataStart,
      offsets[1] - offsets[0] == size
    else {
      throw WeightsError(
        .malformed,
        "\(shape.shapeText) \(code) needs \(size) bytes, data_offsets are \(offsets[0]) and \(offsets[1])")
    }
    return Entry(
      name: name, format: format, shape: shape, range: (dataStart + offsets[0])..<(dataStart + offsets[1]))
  }

  private static func integers(_ value: JSONScanner.Value?) -> [Int]? {
    guard case .array(let values)? = value else { return nil }
    let integers = values.compactMap { if case .integer(let integer) = $0 { integer } else { nil } }
    return integers.count == values.count ? integers : nil
  }

  /// The tensors must fill the data without holes, overlaps or anything after them: no byte means two things or nothing.
  private func checkTiling(fileSize: Int) throws {
    var end = dataStart
    let ordered = entries.sorted {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    for entry in ordered {
      guard entry.range.lowerBound == end else {
        let what = entry.range.lowerBound < end ? "overlaps" : "leaves a hole after"
        throw WeightsError(.malformed, "tensor \(entry.name.quoted) \(what) the tensor before it")
      }
      end = entry.range.upperBound
    }
    guard end <= fileSize else {
      throw WeightsError(.truncated, "the tensors need \(end) bytes, the file has \(fileSize)")
    }
    guard end == fileSize else {
      throw WeightsError(.malformed, "\(fileSize - end) bytes follow the last tensor")
    }
  }
}

extension ElementFormat {
  private static let safetensorsCodes: [String: ElementFormat] = [
    "F64": .float64, "F32": .float32, "F16": .float16, "BF16": .bfloat16, "BOOL": .bool,
    "I8": .int8, "I16": .int16, "I32": .int32, "I64": .int64,
    "U8": .uint8, "U16": .uint16, "U32": .uint32, "U64": .uint64,
  ]

  init?(safetensorsCode code: String) {
    guard let format = Self.safetensorsCodes[code] else { return nil }
    self = format
  }

  var safetensorsCode: String { Self.safetensorsCodes.first { $0.value == self }!.key }
}
