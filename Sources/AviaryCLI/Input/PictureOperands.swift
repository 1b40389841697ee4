import Aviary
import Foundation

/// A picture that the command line asks for.
struct PictureOperand {
  /// What messages and results call it.
  let name: String
  private let pipe: PipedFile?
  /// What was left out of a folder that holds no pictures.
  private let leftOut: LeftOut?

  fileprivate init(_ path: String) {
    name = path
    pipe = PipedFile(path)
    leftOut = nil
  }

  fileprivate init(emptyFolder path: String, _ leftOut: LeftOut) {
    name = path
    pipe = nil
    self.leftOut = leftOut
  }

  /// - Throws: `ImageError`, ``PipedFile/Failure``, or ``EmptyFolder`` where the name is that of one.
  func image() throws -> Image {
    if let leftOut { throw EmptyFolder(path: name, leftOut: leftOut) }
    guard let pipe else { return try Image(contentsOf: name == "-" ? "/dev/stdin" : name) }
    var bytes: [UInt8] = []
    try pipe.read { piece in
      bytes += piece
      guard bytes.count <= Self.longest else {
        throw PipedFile.Failure(name: name, reason: "more than \(Self.longest) bytes")
      }
      // What begins otherwise is not read to its end, which it may not have.
      return bytes.count < Image.startLength || Image.isRecognised(bytes)
    }
    return try Image(decoding: bytes, named: name)
  }

  /// Bytes of the largest file that is read from a pipe.
  private static let longest = 1 << 28
}

/// The pictures that words stand for: files, folders of them, patterns such as `*.jpg`, and pipes.
struct PictureOperands {
  private(set) var pictures: [PictureOperand] = []
  private(set) var leftOut = LeftOut()

  init(_ words: [String]) {
    for word in words {
      for path in Self.exists(word) ? [word] : Self.matches(of: word) { add(path) }
    }
  }

  private mutating func add(_ path: String) {
    guard FileManager.default.isFolder(path) else {
      return pictures.append(PictureOperand(path))
    }
    let folder = PictureFolder(path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
    guard !folder.pictures.isEmpty else {
      return pictures.append(PictureOperand(emptyFolder: path, folder.leftOut))
    }
    leftOut.add(folder.leftOut)
    pictures += folder.pictures.map { PictureOperand($0) }
  }

  private static func exists(_ path: String) -> Bool { path == "-" || access(path, F_OK) == 0 }

  /// The files that a pattern stands for; a word that is none stands for itself, and whoever opens it says that it is missing.
  private static func matches(of word: String) -> [String] {
    guard word.contains(where: { "*?[".contains($0) }) else { return [word] }
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(word, 0, nil, &found) == 0, let paths = found.gl_pathv else { return [word] }
    return (0..<Int(found.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }
  }
}

/// A folder that was named for its pictures has none.
struct EmptyFolder: Error, CustomStringConvertible {
  let path: String
  let leftOut: LeftOut
  var description: String {
    "the folder \(path) holds no pictures" + (leftOut.isEmpty ? "" : "; left out: \(leftOut)")
  }
}
