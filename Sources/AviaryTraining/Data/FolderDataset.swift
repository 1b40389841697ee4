import AviaryTensors
import Foundation

/// Pictures in a folder with one sub-folder per class, named as the class.
public struct FolderDataset: Dataset {
  /// What is wrong with a folder.
  public enum Failure: Error, CustomStringConvertible, Equatable {
    case missing(String)
    case tooFewClasses(path: String, found: [String])
    case emptyClass(path: String)

    public var description: String {
      switch self {
      case .missing(let path): "there is no folder \(path)"
      case .tooFewClasses(let path, let found):
        "\(path) needs at least two sub-folders with pictures, one per class; found "
          + (found.isEmpty ? "none" : "only \(found.joined(separator: ", "))")
      case .emptyClass(let path): "the class folder \(path) holds no pictures (.png, .jpg, .jpeg)"
      }
    }
  }

  public let classNames: [String]
  private let files: [(path: String, label: Int)]
  private let decode: @Sendable (String) throws -> Tensor

  private static let suffixes: Set<String> = ["png", "jpg", "jpeg"]

  /// Lists the pictures below `path`; `decode` turns the file of one into C×H×W when it is asked for.
  public init(_ path: String, decode: @escaping @Sendable (String) throws -> Tensor) throws(Failure) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
      throw .missing(path)
    }
    let root = URL(filePath: path, directoryHint: .isDirectory)
    let folders = FolderDataset.entries(root).filter { $0.hasDirectoryPath }
    guard folders.count >= 2 else {
      throw .tooFewClasses(path: path, found: folders.map(\.lastPathComponent))
    }
    classNames = folders.map(\.lastPathComponent)
    var files: [(path: String, label: Int)] = []
    for (label, folder) in folders.enumerated() {
      let pictures = FolderDataset.entries(folder).filter {
        FolderDataset.suffixes.contains($0.pathExtension.lowercased())
      }
      guard !pictures.isEmpty else { throw .emptyClass(path: folder.path) }
      files += pictures.map { ($0.path, label) }
    }
    self.files = files
    self.decode = decode
  }

  /// Sorted by name, so that the order does not depend on the file system.
  private static func entries(_ folder: URL) -> [URL] {
    let found = try? FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: [.isDirectoryKey], options: .skipsHiddenFiles)
    return (found ?? []).sorted { $0.lastPathComponent < $1.lastPathComponent }
  }

  public var count: Int { files.count }
  public func label(_ index: Int) -> Int { files[index].label }
  public func input(_ index: Int) throws -> Tensor { try decode(files[index].path) }
}
