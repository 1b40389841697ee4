import Foundation

/// The pictures in a folder and in the folders inside of it. Links are followed, each folder is visited once.
public struct PictureFolder {
  /// The endings of files that are taken for pictures.
  public static let endings: Set<String> = [
    "png", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "dib", "tif", "tiff",
  ]

  /// Sorted by name, folder by folder, so that the order does not depend on the file system.
  public private(set) var pictures: [String] = []
  /// What of the folder was not taken.
  public private(set) var leftOut = LeftOut()
  private var visited: Set<FileIdentity>

  /// The pictures in the folder `path`.
  public init(_ path: String) { self.init(path, around: []) }

  /// - Parameter around: folders to which no link shall lead back.
  init(_ path: String, around: Set<FileIdentity>) {
    visited = around
    if let folder = FileKind.of(path).folder { visited.insert(folder) }
    visit(path)
  }

  private mutating func visit(_ folder: String) {
    guard let entries = FolderEntries(folder) else { return leftOut.add(.unreadableFolder) }
    leftOut.add(.unreadableName, entries.unreadable)
    for name in entries.names {
      let path = "\(folder)/\(name)"
      let isPicture = Self.endings.contains(Self.ending(name))
      if name.hasPrefix(".") {
        if isPicture { leftOut.add(.hidden) }
        continue
      }
      switch FileKind.of(path) {
      case .folder(let identity):
        if visited.insert(identity).inserted { visit(path) } else { leftOut.add(.repeatedFolder) }
      case .file: if isPicture { pictures.append(path) } else { leftOut.add(.ending(Self.ending(name))) }
      case .missing: leftOut.add(.brokenLink)
      case .other: leftOut.add(.notAFile)
      }
    }
  }

  private static func ending(_ name: String) -> String {
    name.contains(".") ? name.split(separator: ".").last.map { $0.lowercased() } ?? "" : ""
  }
}

/// What tells a folder from all others, by whatever path one comes to it.
struct FileIdentity: Hashable {
  private let device: UInt64
  private let number: UInt64

  init(_ status: stat) {
    device = UInt64(truncatingIfNeeded: status.st_dev)
    number = UInt64(truncatingIfNeeded: status.st_ino)
  }

  /// A folder and all that it lies in.
  static func around(_ path: String) -> Set<FileIdentity> {
    var (path, found) = (path, Set<FileIdentity>())
    while let folder = FileKind.of(path).folder, found.insert(folder).inserted { path += "/.." }
    return found
  }
}

/// What a path leads to, behind all links.
enum FileKind {
  case file
  case folder(FileIdentity)
  case missing
  /// A pipe, a device or a socket, from which reading might never end.
  case other

  static func of(_ path: String) -> FileKind {
    var status = stat()
    guard stat(path, &status) == 0 else { return .missing }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .folder(FileIdentity(status))
    default: return .other
    }
  }

  var folder: FileIdentity? { if case .folder(let identity) = self { identity } else { nil } }
}

/// The names in a folder.
struct FolderEntries {
  /// Sorted.
  private(set) var names: [String] = []
  /// How many have a name that is no text.
  private(set) var unreadable = 0

  /// Nil when the folder may not be read.
  init?(_ path: String) {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
        name.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: name.pointee)) {
          String(validatingCString: $0)
        }
      }
      guard let name else {
        unreadable += 1
        continue
      }
      if name != "." && name != ".." { names.append(name) }
    }
    names.sort()
  }
}
