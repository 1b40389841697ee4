import Aviary
import Foundation

/// Pictures of the classes that pixels really have, for pictures that a network was asked about.
struct TruthMasks {
  /// One for each picture; nil where a folder has none, or several, of its name.
  private let paths: [String?]

  /// There is no such picture, or it does not fit the one it is for.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Nil when `--truth` was not given. Throws ``UsageError`` for a file that is to be the truth of several pictures.
  init?(_ arguments: Arguments, for pictures: [PictureOperand]) throws {
    guard let path = arguments.string("truth") else { return nil }
    try self.init(path, for: pictures)
  }

  /// A file, or a folder of such under the pictures' names. Throws ``UsageError`` for a file that is to be the truth of several pictures.
  init(_ path: String, for pictures: [PictureOperand]) throws {
    guard FileManager.default.isFolder(path) else {
      guard pictures.count == 1 else {
        throw UsageError("--truth takes a folder for \(pictures.count) pictures, not \(path)")
      }
      paths = [path]
      return
    }
    let byStem = Dictionary(grouping: PictureFolder(path).pictures, by: PictureOutputs.stem)
    paths = pictures.map { picture in
      let found = byStem[PictureOutputs.stem(picture.name)] ?? []
      return found.count == 1 ? found[0] : nil
    }
  }

  /// How many classes the pictures tell apart where nobody says it, by the rules of ``map(_:for:named:labels:)``: grey ones of 0 and 255 alone two,
  /// others as many as their highest label needs.
  ///
  /// - Throws: ``Failure``, `ImageError`, or `UnknownColour`.
  func classCount() throws -> Int {
    var (present, hasColours) = (Set<UInt8>(), false)
    for path in paths.compactMap(\.self) {
      let truth = try Image(contentsOf: path)
      hasColours = hasColours || truth.model != .grey
      present.formUnion(truth.model == .grey ? truth.pixels : try LabelMap(truth, palette: .voc).labels)
    }
    if !hasColours, present.isSubset(of: [0, LabelMap.ignored]) { return 2 }
    return max(Int(present.subtracting([LabelMap.ignored]).max() ?? 0) + 1, 2)
  }

  /// The classes of picture number `index`, and in words what was taken for them.
  ///
  /// Of two classes, a picture of brightness 0 and 1 alone (and 255, which does not count) holds labels, any other is a mask. Of more, a grey
  /// picture holds labels, one in colours those of PASCAL VOC's palette.
  /// - Throws: ``Failure``, `ImageError`, or `UnknownColour`.
  func map(_ index: Int, for image: Image, named name: String, labels: [String]) throws -> (
    map: LabelMap, reading: String
  ) {
    guard let path = paths[index] else {
      throw Failure(description: "\(name): the folder of --truth has not one picture called so, or several")
    }
    let truth = try Image(contentsOf: path)
    guard (truth.width, truth.height) == (image.width, image.height) else {
      throw Failure(
        description:
          "\(path) has \(truth.width)×\(truth.height) pixels, but \(name) has \(image.width)×\(image.height)")
    }
    if labels.count > 2 {
      return truth.model == .grey
        ? (try LabelMap(truth), "labels") : (try LabelMap(truth, palette: .voc), "colours of PASCAL VOC")
    }
    let brightness = truth.converted(to: .grey)
    let values = Set(brightness.pixels)
    if values.contains(1), values.isSubset(of: [0, 1, LabelMap.ignored]) {
      return (try LabelMap(brightness), "labels")
    }
    return (LabelMap(mask: truth), "a mask: 128 and more is \(labels[1])")
  }
}
