import AviaryTensors

extension WeightFile {
  /// What `aviary inspect` shows, ready to be encoded as JSON.
  public struct Description: Encodable, Sendable {
    public struct Entry: Encodable, Sendable {
      public let name: String
      public let dtype: DType
      public let shape: Shape

      init(name: String, spec: TensorSpec) {
        self.name = name
        dtype = spec.dtype
        shape = spec.shape
      }
    }

    public let path: String
    public let format: String
    public let summary: String
    public let byteCount: Int
    public let tensorCount: Int
    /// Elements of all tensors.
    public let parameterCount: Int
    public let tensors: [Entry]
    /// Whether the data is what the file's digest says; absent where it carries none.
    public let isIntact: Bool?
    public let metadata: [String: String]
    public let portable: PortableMetadata?
    public let keras: KerasStructure?
  }

  /// Format, names, types, shapes and metadata, and whether a digest holds, for which all data is read.
  public var description: Description {
    let entries = archive.names.map { Description.Entry(name: $0, spec: archive.spec($0)!) }
    return Description(
      path: path, format: format.rawValue, summary: format.summary, byteCount: byteCount,
      tensorCount: entries.count, parameterCount: entries.reduce(0) { $0 + $1.shape.elementCount },
      tensors: entries, isIntact: isIntact, metadata: archive.metadata, portable: archive.portable,
      keras: archive.keras)
  }
}
