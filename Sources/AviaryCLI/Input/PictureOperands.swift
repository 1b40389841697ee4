import Aviary
import Foundation

/// A picture that the command line asks for.
struct PictureOperand {
  /// What messages and results call it.
  let name: String
  private let pipe: PipedFile?

  fileprivate init(_ path: String) {
    name = path
    pipe = PipedFile(path)
  }

  func image() throws -> Image {
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

  /// - Throws: ``Failure`` for a folder without pictures and a pattern that no file fits.
  init(_ words: [String]) throws {
    for word in words {
      let matches = Self.exists(word) ? [word] : try Self.matches(of: word)
      for path in matches { try add(path) }
    }
  }

  private mutating func add(_ path: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
      return pictures.append(PictureOperand(path))
    }
    let folder = PictureFolder(path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
    leftOut.add(folder.leftOut)
    guard !folder.pictures.isEmpty else { throw Failure(path: path, leftOut: folder.leftOut) }
    pictures += folder.pictures.map(PictureOperand.init)
  }

  private static func exists(_ path: String) -> Bool { path == "-" || access(path, F_OK) == 0 }

  /// The files that a pattern stands for; a word that is none stands for itself, and whoever opens it says that it is missing.
  private static func matches(of word: String) throws -> [String] {
    guard word.contains(where: { "*?[".contains($0) }) else { return [word] }
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(word, 0, nil, &found) == 0, let paths = found.gl_pathv else { return [word] }
    return (0..<Int(found.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }
  }

  struct Failure: Error, CustomStringConvertible {
    let path: String
    let leftOut: LeftOut
    var description: String {
      "the folder \(path) holds no pictures" + (leftOut.isEmpty ? "" : "; left out: \(leftOut)")
    }
  }
}
