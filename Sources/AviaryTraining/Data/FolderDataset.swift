import AviaryTensors
import AviaryVision
import Foundation
import Synchronization

/// Pictures in a folder with one sub-folder per class, named as the class. Pictures further inside belong to the class as well.
public struct FolderDataset: Dataset {
  /// What is wrong with a folder.
  public enum Failure: Error, CustomStringConvertible, Equatable {
    /// There is no folder at this path.
    case missing(String)
    /// The system does not list it, for this reason.
    case unreadable(path: String, reason: String)
    /// It has fewer sub-folders with pictures than needed.
    case tooFewClasses(path: String, found: [String], needed: Int)
    /// A class has no picture that can be read.
    case emptyClass(path: String, leftOut: LeftOut)

    public var description: String {
      switch self {
      case .missing(let path): "there is no folder \(path)"
      case .unreadable(let path, let reason): "the folder \(path) cannot be read: \(reason)"
      case .tooFewClasses(let path, let found, let needed):
        "\(path) needs \(needed == 1 ? "a sub-folder" : "at least two sub-folders") with pictures, one per class; found "
          + (found.isEmpty ? "none" : "only \(found.joined(separator: ", "))")
      case .emptyClass(let path, let leftOut):
        "the class folder \(path) holds no pictures that can be read (.png, .jpg, .webp, .gif, .bmp, .tiff)"
          + (leftOut.isEmpty ? "" : "; left out: \(leftOut)")
      }
    }
  }

  public let classNames: [String]
  /// What was not taken of the folder.
  public private(set) var leftOut: LeftOut
  private let root: String
  private var files: [(path: String, label: Int)]
  private let decode: @Sendable (String) throws -> Tensor

  /// Lists the pictures below `path`; `decode` turns the file of one into C×H×W when it is asked for.
  public init(
    _ path: String, minimumClasses: Int = 2, decode: @escaping @Sendable (String) throws -> Tensor
  ) throws(Failure) {
    guard FileKind.of(path).folder != nil else { throw .missing(path) }
    root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    // Links from a class back to what it lies in would give it all the others' pictures.
    let around = FileIdentity.around(root)
    let classes = try Self.classes(in: root, around)
    leftOut = classes.leftOut
    classNames = classes.names
    guard classNames.count >= minimumClasses else {
      throw .tooFewClasses(path: path, found: classNames, needed: minimumClasses)
    }
    files = []
    for (label, name) in classNames.enumerated() {
      let found = PictureFolder("\(root)/\(name)", around: around)
      guard !found.pictures.isEmpty else {
        throw .emptyClass(path: "\(root)/\(name)", leftOut: found.leftOut)
      }
      files += found.pictures.map { ($0, label) }
      leftOut.add(found.leftOut)
    }
    self.decode = decode
  }

  /// The folders inside of `root`, and what lies beside them.
  private static func classes(
    in root: String, _ around: Set<FileIdentity>
  ) throws(Failure) -> (names: [String], leftOut: LeftOut) {
    guard let entries = FolderEntries(root) else {
      throw .unreadable(path: root, reason: String(cString: strerror(errno)))
    }
    var (names, leftOut): ([String], LeftOut) = ([], LeftOut())
    leftOut.add(.unreadableName, entries.unreadable)
    for name in entries.names where !name.hasPrefix(".") {
      let path = "\(root)/\(name)"
      switch FileKind.of(path) {
      case .folder(let identity):
        if around.contains(identity) {
          leftOut.add(.repeatedFolder)
          continue
        }
        guard FolderEntries(path) != nil else {
          throw .unreadable(path: path, reason: String(cString: strerror(errno)))
        }
        names.append(name)
      case .file: leftOut.add(.outside)
      case .missing: throw .unreadable(path: path, reason: "it is a link to nothing")
      case .other: leftOut.add(.notAFile)
      }
    }
    return (names, leftOut)
  }

  /// Pictures of all classes.
  public var count: Int { files.count }
  public func label(_ index: Int) -> Int { files[index].label }
  public func input(_ index: Int) throws -> Tensor { try decode(files[index].path) }
}

extension FolderDataset {
  /// `9 pictures in 2 classes; left out: 1 .txt, 1 damaged`
  public var summary: String {
    "\(count) pictures in \(classNames.count) classes" + (leftOut.isEmpty ? "" : "; left out: \(leftOut)")
  }

  /// The same without the pictures that cannot be decoded: each is decoded once, on all cores, so that none of them ends a training that
  /// has begun.
  ///
  /// - Parameters:
  ///   - progress: how many of all were looked at.
  ///   - damage: what is wrong with one; its error names it.
  public func withoutDamaged(
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }, damage: (any Error) -> Void
  ) throws(Failure) -> FolderDataset {
    var result = self
    result.files = []
    let step = 32 * Parallel.threadCount
    for start in stride(from: 0, to: count, by: step) {
      let errors = Mutex<[Int: any Error]>([:])
      let indices = start..<min(start + step, count)
      Parallel.forEachRange(indices.count) { range in
        for index in range.map({ indices.lowerBound + $0 }) {
          do { _ = try decode(files[index].path) } catch { errors.withLock { $0[index] = error } }
        }
      }
      let found = errors.withLock { $0 }
      for index in indices {
        if let error = found[index] { damage(error) } else { result.files.append(files[index]) }
      }
      result.leftOut.add(.damaged, found.count)
      progress(indices.upperBound, count)
    }
    let remaining = Set(result.files.map(\.label))
    if let empty = classNames.indices.first(where: { !remaining.contains($0) }) {
      throw .emptyClass(path: "\(root)/\(classNames[empty])", leftOut: result.leftOut)
    }
    return result
  }
}

/// The pictures before they become a network's input, to be augmented.
extension FolderDataset: AnnotatedPictures {
  public func knownLabel(_ index: Int) -> Int? { label(index) }
  public func picture(_ index: Int) throws -> AnnotatedPicture {
    AnnotatedPicture(image: try Image(contentsOf: files[index].path), label: label(index))
  }
}
