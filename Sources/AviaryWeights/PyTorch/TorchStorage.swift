import AviaryTensors

/// A storage as a checkpoint's pickle refers to it: element type, key, and how many elements.
struct TorchStorageReference {
  let format: ElementFormat
  let key: String
  let count: Int
  /// In files from before 1.6 a storage may be a part of another: the first element and their number.
  let part: (start: Int, count: Int)?

  /// Reads the persistent identity `("storage", class, key, place, count)`, which may have a sixth element about a part.
  init(_ identity: PickleReference, in graph: PickleGraph) throws {
    guard let fields = graph.tuple(identity), fields.count >= 5, graph.string(fields[0]) == "storage",
      let className = graph.globalName(fields[1]), let key = graph.string(fields[2]),
      let count = graph.int(fields[4]), count >= 0
    else { throw WeightsError(.malformed, "a storage is described in an unknown way") }
    guard let format = Self.format(className) else {
      throw WeightsError(.unsupported, "storages of the class \(className.quoted) are not supported")
    }
    self.format = format
    self.key = key
    self.count = count
    guard fields.count > 5, let part = graph.tuple(fields[5]) else {
      self.part = nil
      return
    }
    guard part.count == 3, let start = graph.int(part[1]), let size = graph.int(part[2]), start >= 0,
      size >= 0
    else { throw WeightsError(.malformed, "a part of a storage is described in an unknown way") }
    self.part = (start, size)
  }

  private static let formats: [String: ElementFormat] = [
    "FloatStorage": .float32, "HalfStorage": .float16, "BFloat16Storage": .bfloat16,
    "DoubleStorage": .float64, "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16,
    "CharStorage": .int8, "ByteStorage": .uint8, "BoolStorage": .bool, "UntypedStorage": .uint8,
  ]

  /// `torch.FloatStorage`, `torch.cuda.FloatStorage`, `torch.storage.UntypedStorage`.
  private static func format(_ className: String) -> ElementFormat? {
    let steps = className.split(separator: ".").map(String.init)
    guard steps.first == "torch", let last = steps.last else { return nil }
    return formats[last]
  }
}

/// The bytes of a storage: a part of the file, or unpacked from it whenever they are needed.
struct TorchStorage: Sendable {
  let byteCount: Int
  /// Whether the bytes stay where they are.
  let isStored: Bool
  let window: @Sendable () throws -> FileWindow

  init(_ window: FileWindow) {
    byteCount = window.count
    isStored = true
    self.window = { window }
  }

  init(byteCount: Int, unpackedBy window: @escaping @Sendable () throws -> FileWindow) {
    self.byteCount = byteCount
    isStored = false
    self.window = window
  }
}

/// The storages of a checkpoint.
struct TorchStorages {
  let budget: ReadingBudget
  let bigEndian: Bool
  let places: [String: TorchStorage]

  /// A storage and the part of its bytes that a reference means.
  func place(of reference: TorchStorageReference) throws -> (TorchStorage, Range<Int>) {
    guard let place = places[reference.key] else {
      throw WeightsError(.malformed, "the storage \(reference.key.quoted) is missing")
    }
    let width = reference.format.byteCount
    let part = reference.part ?? (0, reference.count)
    let available = place.byteCount / width
    guard part.start <= available, part.count <= available - part.start else {
      throw WeightsError(
        .truncated,
        "the storage \(reference.key.quoted) has \(place.byteCount) bytes, \(part.count) elements of \(width) from \(part.start) on were promised"
      )
    }
    return (place, (part.start * width)..<((part.start + part.count) * width))
  }
}
