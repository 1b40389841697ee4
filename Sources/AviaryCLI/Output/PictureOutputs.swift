import Aviary
import Foundation

/// Where a command writes what it makes of pictures: of one to a file, of several to a folder under the pictures' names.
struct PictureOutputs {
  /// In the order of the pictures.
  private let paths: [String]
  /// What is made before the first file; nil for a file.
  private let folder: String?
  private let option: String

  /// Nil when the option was not given. What has no ending, or is a folder, is one, and made when it is needed.
  ///
  /// - Parameter endings: those that files may have, in small letters; pictures with others get the first.
  /// - Throws: ``UsageError`` when files would get other endings, take each other's place, or that of a picture.
  init?(
    _ arguments: Arguments, _ option: String, for pictures: [PictureOperand], endings: [String]
  ) throws {
    guard let path = arguments.string(option) else { return nil }
    self.option = option
    let ending = Self.ending(path)
    if !FileManager.default.isFolder(path), !path.hasSuffix("/"), !ending.isEmpty {
      let list = endings.map { "." + $0 }.joined(separator: " or ")
      guard endings.contains(ending) else {
        throw UsageError("--\(option) takes a file that ends in \(list), or a folder, not \(path)")
      }
      guard pictures.count == 1 else {
        throw UsageError("--\(option) takes a folder for \(pictures.count) pictures, not \(path)")
      }
      (paths, folder) = ([path], nil)
      try requireNoneOverwritten(pictures)
      return
    }
    let folder = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    paths = pictures.map { picture in
      let name =
        picture.name == "-" ? "stdin" : picture.name.split(separator: "/").last.map(String.init) ?? ""
      let ending = Self.ending(name)
      let kept = endings.contains(ending) ? name : "\(Self.stem(name)).\(endings[0])"
      return "\(folder)/\(kept)"
    }
    self.folder = folder
    try requireNoneOverwritten(pictures)
  }

  /// Where what is made of picture number `index` goes, in a folder that is there.
  func path(_ index: Int) throws -> String {
    if let folder {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    return paths[index]
  }

  private func requireNoneOverwritten(_ pictures: [PictureOperand]) throws {
    var sources = [String: String]()
    for (path, picture) in zip(paths, pictures) {
      if let other = sources.updateValue(picture.name, forKey: path) {
        throw UsageError("--\(option) would write \(path) for \(other) and again for \(picture.name)")
      }
    }
    let places = Set(paths.map(Self.place))
    if let picture = pictures.first(where: { places.contains(Self.place($0.name)) }) {
      throw UsageError("--\(option) would take the place of \(picture.name)")
    }
  }

  /// Throws ``UsageError`` when two options would write the same file.
  static func requireDistinct(_ outputs: [PictureOutputs?]) throws {
    var options: [String: String] = [:]
    for output in outputs.compactMap(\.self) {
      for path in output.paths {
        guard let other = options.updateValue(output.option, forKey: place(path)) else { continue }
        throw UsageError("--\(other) and --\(output.option) would both write \(path)")
      }
    }
  }

  /// The file that a path leads to, whatever it is called on the way.
  private static func place(_ path: String) -> String {
    URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path
  }

  /// The name of a file without its ending.
  static func stem(_ path: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let ending = ending(name)
    return ending.isEmpty ? name : String(name.dropLast(ending.count + 1))
  }

  /// What stands behind the last dot of a file's name, in small letters; nothing for `.hidden` and `name`.
  static func ending(_ path: String) -> String {
    guard let name = path.split(separator: "/").last, let dot = name.lastIndex(of: "."),
      dot != name.startIndex
    else { return "" }
    return name[name.index(after: dot)...].lowercased()
  }
}
