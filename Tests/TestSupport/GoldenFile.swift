import AviaryTensors
import Foundation

/// A safetensors file of expected values, read with Foundation alone: the library's own reader is itself under test.
///
/// The file is a 64-bit length, a JSON header of that many bytes, and the tensors' bytes, all little-endian.
public struct GoldenFile: Sendable {
  /// What is wrong with a fixture.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  /// The strings of `__metadata__`.
  public let metadata: [String: String]
  private let entries: [String: Entry]
  private let data: Data

  private struct Entry: Sendable {
    let dtype: DType
    let shape: Shape
    let bytes: Range<Int>
  }

  public init(_ url: URL) throws {
    let data = try Data(contentsOf: url)
    guard data.count >= 8 else { throw Failure(description: "\(url.lastPathComponent) has no header") }
    let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let parsed = try JSONSerialization.jsonObject(with: data.subdata(in: 8..<(8 + length)))
    guard let header = parsed as? [String: Any] else {
      throw Failure(description: "the header of \(url.lastPathComponent) is no object")
    }
    metadata = header["__metadata__"] as? [String: String] ?? [:]
    var entries: [String: Entry] = [:]
    for (name, value) in header where name != "__metadata__" {
      guard let fields = value as? [String: Any], let type = fields["dtype"] as? String,
        let dtype = GoldenFile.types[type], let shape = fields["shape"] as? [Int],
        let offsets = fields["data_offsets"] as? [Int], offsets.count == 2
      else { throw Failure(description: "the entry \(name) of \(url.lastPathComponent) cannot be read") }
      entries[name] = Entry(
        dtype: dtype, shape: shape, bytes: (8 + length + offsets[0])..<(8 + length + offsets[1]))
    }
    self.entries = entries
    self.data = data
  }

  private static let types: [String: DType] = ["F32": .float32, "I64": .int64, "I32": .int32, "U8": .uint8]

  /// The names of all tensors, sorted.
  public var names: [String] { entries.keys.sorted() }

  /// The tensor called `name`, or nil.
  public subscript(_ name: String) -> Tensor? {
    guard let entry = entries[name] else { return nil }
    return Tensor(shape: entry.shape, dtype: entry.dtype) { $0.copyBytes(from: data[entry.bytes]) }
  }
}
