import CZlib

/// Files of data sets, plain or compressed by gzip.
public enum DataFile {
  /// What is wrong with a file.
  public struct Failure: Error, CustomStringConvertible {
    /// The file.
    public let path: String
    /// What is wrong with it, for people.
    public let reason: String
    public var description: String { "\(path): \(reason)" }
  }

  /// No real file of this kind is larger: what claims more is damaged.
  static let limit = 1 << 30

  /// All bytes of a file. gzip or not, zlib finds out.
  static func read(_ path: String) throws(Failure) -> [UInt8] {
    guard let file = gzopen(path, "rb") else { throw Failure(path: path, reason: "cannot be opened") }
    defer { gzclose(file) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = gzread(file, &chunk, UInt32(chunk.count))
      if count < 0 { throw Failure(path: path, reason: "the gzip stream is damaged") }
      if count == 0 { break }
      content += chunk.prefix(Int(count))
      guard content.count <= limit else { throw Failure(path: path, reason: "more than \(limit) bytes") }
    }
    // A stream that ends early is no error to gzread: only its status tells.
    var status: Int32 = 0
    _ = gzerror(file, &status)
    guard status == Z_OK else { throw Failure(path: path, reason: "the gzip stream is truncated") }
    return content
  }
}
