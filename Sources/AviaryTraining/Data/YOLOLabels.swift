import AviaryTensors
import AviaryVision
import Foundation

/// Pictures with boxes in the text format of darknet and ultralytics: a folder of `images`, and in `labels` a text of the same name for each, with
/// a line `class x y width height` per object, the centre and the sides in shares of the picture.
///
/// Names of the classes are lines of `classes.txt`, or the `names` of `data.yaml`; else they are numbers. A picture without a text, or with an empty
/// one, shows no object. What does not fit together is left out and counted: ``leftOut``.
public struct YOLOLabels: AnnotatedPictures {
  private struct Object {
    let label: Int
    /// Centre x, centre y, width and height in shares.
    let shares: [Float]
  }

  private struct Entry {
    let file: String
    let objects: [Object]
  }

  private let entries: [Entry]
  public let classNames: [String]
  /// What of the folder was not taken.
  public private(set) var leftOut: LeftOut

  /// A class beyond that is a mistake in a file.
  private static let mostClasses = 65_536

  /// Reads all texts of a folder; throws ``DataFile/Failure`` naming the line that is none of an object.
  public init(_ folder: String) throws(DataFile.Failure) {
    let pictures = PictureFolder("\(folder)/images")
    leftOut = pictures.leftOut
    let texts = Set(FolderEntries("\(folder)/labels")?.names ?? [])
    var (entries, used): ([Entry], Set<String>) = ([], [])
    for file in pictures.pictures {
      let name = URL(filePath: file).deletingPathExtension().lastPathComponent + ".txt"
      guard texts.contains(name) else {
        entries.append(Entry(file: file, objects: []))
        continue
      }
      used.insert(name)
      let objects = try Self.objects("\(folder)/labels/\(name)")
      let usable = objects.filter { $0.shares[2] > 0 && $0.shares[3] > 0 }
      leftOut.add(.degenerateBox, objects.count - usable.count)
      entries.append(Entry(file: file, objects: usable))
    }
    leftOut.add(.noPicture, texts.count { $0.hasSuffix(".txt") && $0 != "classes.txt" && !used.contains($0) })
    let highest = entries.flatMap { $0.objects.map(\.label) }.max() ?? -1
    let names = try Self.names(folder)
    if let names, highest >= names.count {
      throw DataFile.Failure(
        path: folder, reason: "there is an object of class \(highest), and names for \(names.count) classes")
    }
    classNames = names ?? (0..<max(highest + 1, 1)).map { "class \($0)" }
    self.entries = entries
  }

  private static func objects(_ path: String) throws(DataFile.Failure) -> [Object] {
    let lines = String(decoding: try DataFile.read(path), as: UTF8.self).split(whereSeparator: \.isNewline)
    var result: [Object] = []
    for (number, line) in lines.enumerated() {
      let words = line.split(whereSeparator: \.isWhitespace)
      if words.isEmpty { continue }
      let numbers = words.dropFirst().compactMap { Float($0) }
      guard words.count == 5, numbers.count == 4, numbers.allSatisfy({ 0...1 ~= $0 }),
        let label = Int(words[0]), 0..<mostClasses ~= label
      else {
        throw DataFile.Failure(
          path: path,
          reason:
            "line \(number + 1) is '\(line.prefix(60))', expected a class and four shares from 0 to 1: x, y, width, height"
        )
      }
      result.append(Object(label: label, shares: numbers))
    }
    return result
  }

  /// Nil where no file says them.
  private static func names(_ folder: String) throws(DataFile.Failure) -> [String]? {
    func lines(_ path: String) throws(DataFile.Failure) -> [String]? {
      guard case .file = FileKind.of(path) else { return nil }
      return String(decoding: try DataFile.read(path), as: UTF8.self).split(whereSeparator: \.isNewline)
        .map(String.init)
    }
    for path in ["\(folder)/classes.txt", "\(folder)/labels/classes.txt"] {
      if let names = try lines(path) { return names.map { $0.trimmingCharacters(in: .whitespaces) } }
    }
    guard let yaml = try lines("\(folder)/data.yaml"),
      let start = yaml.firstIndex(where: { $0.hasPrefix("names:") })
    else { return nil }
    func plain(_ text: some StringProtocol) -> String {
      text.trimmingCharacters(in: CharacterSet(charactersIn: "\"' \t"))
    }
    let rest = yaml[start].dropFirst("names:".count).trimmingCharacters(in: .whitespaces)
    if rest.hasPrefix("["), rest.hasSuffix("]") {
      return rest.dropFirst().dropLast().split(separator: ",").map { plain($0) }
    }
    // `- name`, or `0: name`, below it.
    let below = yaml[(start + 1)...].prefix { $0.hasPrefix(" ") || $0.hasPrefix("-") }
    let names = below.map { line -> String in
      let text = line.trimmingCharacters(in: .whitespaces)
      return plain(text.hasPrefix("-") ? text.dropFirst() : text.drop { $0 != ":" }.dropFirst())
    }
    guard rest.isEmpty, !names.isEmpty, !names.contains("") else {
      throw DataFile.Failure(path: "\(folder)/data.yaml", reason: "its names are no list of names")
    }
    return names
  }

  public var count: Int { entries.count }
  public func knownLabel(_ index: Int) -> Int? { nil }

  /// `24 pictures with 77 objects in 3 classes; left out: 2 annotations without a picture`
  public var summary: String {
    "\(count) pictures with \(entries.reduce(0) { $0 + $1.objects.count }) objects in \(classNames.count) classes"
      + (leftOut.isEmpty ? "" : "; left out: \(leftOut)")
  }

  /// One picture with its objects; parts of boxes outside of it are cut off.
  public func picture(_ index: Int) throws -> AnnotatedPicture {
    let image = try Image(contentsOf: entries[index].file)
    let (width, height) = (Float(image.width), Float(image.height))
    let instances = entries[index].objects.map { object in
      let box = Box(
        centreX: object.shares[0] * width, centreY: object.shares[1] * height,
        width: object.shares[2] * width, height: object.shares[3] * height)
      return Instance(
        box: box.clipped(width: image.width, height: image.height), labelIndex: object.label)
    }
    return AnnotatedPicture(
      image: image, instances: instances.filter { $0.box.width > 0 && $0.box.height > 0 })
  }
}
