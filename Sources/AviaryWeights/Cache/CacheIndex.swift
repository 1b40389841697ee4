import Foundation

/// What a cache holds: JSON beside the files.
struct CacheIndex: Codable, Equatable {
  /// Counts up when an older reader would misread the newer form.
  static let currentVersion = 1

  var version = currentVersion
  /// By the name that weights are pulled by: `resnet50.tv_v1`.
  var entries: [String: Entry] = [:]

  struct Entry: Codable, Equatable {
    /// Of the whole file, which is called by it.
    var sha256: String
    var byteCount: Int
    /// Nanoseconds since 1970 when the file was found to be whole: while it has not been changed since, it need not be read again.
    var modified: Int
    /// The name it is published under.
    var file: String
    var url: String?
    /// Files that belong to it, which lie under their own names in a folder of the entry's; nil for none.
    var companions: [Companion]?

    enum CodingKeys: String, CodingKey {
      case sha256
      case byteCount = "bytes"
      case modified, file, url, companions
    }

    /// A file that belongs to weights: a vocabulary, say.
    struct Companion: Codable, Equatable {
      var file: String
      var sha256: String
      var byteCount: Int

      enum CodingKeys: String, CodingKey {
        case file, sha256
        case byteCount = "bytes"
      }

      var isPlausible: Bool { Self.isName(file) && Entry.isDigest(sha256) && byteCount >= 0 }

      /// Whether it is the name of a file in a folder, and leads nowhere else.
      static func isName(_ file: String) -> Bool {
        1...255 ~= file.utf8.count && !file.hasPrefix(".") && !file.utf8.contains { $0 == 0x2F || $0 < 0x20 }
      }
    }

    /// Names of files come from here: nothing but a digest, and names that stay in their folder, may be one.
    var isPlausible: Bool {
      Self.isDigest(sha256) && byteCount >= 0 && (companions ?? []).allSatisfy(\.isPlausible)
    }

    /// Whether a name is a SHA-256 in hexadecimal digits.
    static func isDigest(_ name: String) -> Bool {
      name.utf8.count == 64
        && name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
  }

  static let fileName = "index.json"
  private static let limit = 16 << 20

  init() {}

  /// Reads the index in a folder; an absent one is empty. Throws ``WeightsError`` for one that is damaged or newer.
  init(folder: String) throws {
    let path = "\(folder)/\(Self.fileName)"
    guard FileManager.default.fileExists(atPath: path) else { return }
    self = try naming(path) {
      guard let data = FileManager.default.contents(atPath: path), data.count <= Self.limit else {
        throw WeightsError(.unreadable, "the cache's index cannot be read")
      }
      let index = try JSONValue.decode(
        CacheIndex.self, from: Array(data), what: "the cache's index ('aviary cache clear' begins a new one)")
      guard index.version <= Self.currentVersion else {
        throw WeightsError(
          .unsupported, "the cache's index has version \(index.version), newer than this program")
      }
      if let entry = index.entries.first(where: { !$0.value.isPlausible }) {
        throw WeightsError(.refused, "the entry \(entry.key.quoted) names no digest, or a file elsewhere")
      }
      return index
    }
  }

  /// Writes the index, complete or not at all.
  func write(folder: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data = try encoder.encode(self)
    try AtomicFile.write(to: "\(folder)/\(Self.fileName)") { try $0.append(Array(data)) }
  }
}

/// Size and time of the last change of a regular file.
struct FileStamp: Equatable {
  let byteCount: Int
  let modified: Int

  /// Nil when there is no regular file at `path`; a link is none.
  init?(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    byteCount = Int(status.st_size)
    // Only whether it is the same counts; times of other centuries go over what the numbers hold.
    modified = Int(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(status.st_mtim.tv_nsec)
  }
}
