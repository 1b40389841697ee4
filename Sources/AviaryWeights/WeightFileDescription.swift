import AviaryTensors

extension WeightFile {
  /// What `aviary inspect` shows, ready to be encoded as JSON.
  public struct Description: Encodable, Sendable {
    /// What is known of one tensor without reading its values.
    public struct Entry: Encodable, Sendable {
      /// The tensor's name in the archive, with whatever characters the file put there.
      public let name: String
      /// The type it is read as, another than the stored one where ``DType`` lacks that: float32 for float64.
      public let dtype: DType
      /// The tensor's shape, empty for a scalar.
      public let shape: Shape

      init(name: String, spec: TensorSpec) {
        self.name = name
        dtype = spec.dtype
        shape = spec.shape
      }
    }

    /// Where the file lies, or the index of several files.
    public let path: String
    /// The format's identifier, as ``WeightFormat`` has it: `keras-h5-weights`.
    public let format: String
    /// The format in words.
    public let summary: String
    /// Bytes of the file, or of an index and all its files.
    public let byteCount: Int
    /// How many ``tensors`` there are.
    public let tensorCount: Int
    /// Elements of all tensors.
    public let parameterCount: Int
    /// The tensors in the order of the archive.
    public let tensors: [Entry]
    /// Whether the data is what the file's digest says; absent where it carries none.
    public let isIntact: Bool?
    /// Strings beside the tensors, without those of ``portable``.
    public let metadata: [String: String]
    /// What a portable file says of its model; absent in others.
    public let portable: PortableMetadata?
    /// The layers and spellings of a Keras file; absent where none is known.
    package let keras: KerasStructure?
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
