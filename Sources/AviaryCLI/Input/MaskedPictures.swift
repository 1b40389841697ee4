import Aviary
import Foundation

/// Pictures of a folder with the classes of their pixels, as `aviary draw scenes --objects` writes them: `pictures`, and pictures of the same
/// names in `masks`.
struct MaskedPictures: AnnotatedPictures {
  /// One name per class of pixels, the background's among them.
  let classNames: [String]
  /// What the masks were taken for, in words.
  let reading: String
  private let paths: [String]
  private let truths: TruthMasks

  /// More classes than that are brightnesses of a mask, unless somebody says their number.
  private static let mostFound = 64

  /// - Parameters:
  ///   - names: of the classes where somebody says them.
  ///   - count: of the classes where somebody says it.
  ///   - known: the network's own labels, whose names are taken where they are as many.
  /// - Throws: ``UsageError`` for a folder without pictures and masks, or with masks of classes that nobody can count; what ``TruthMasks`` throws.
  init(_ folder: String, names: [String]?, count: Int?, known: [String]) throws {
    let (pictures, masks) = ("\(folder)/pictures", "\(folder)/masks")
    for inner in [pictures, masks] where !FileManager.default.fileExists(atPath: inner) {
      throw UsageError(
        "\(folder) has no folder \(inner.split(separator: "/").last ?? ""): pictures lie in pictures, and what their pixels are under the same names in masks"
      )
    }
    let operands = PictureOperands([pictures])
    if !operands.leftOut.isEmpty { Console.printError("\(pictures): left out: \(operands.leftOut)") }
    paths = operands.pictures.map(\.name)
    truths = try TruthMasks(masks, for: operands.pictures)
    if let names {
      (classNames, reading) = (names, "\(names.count) classes, as --labels names them")
    } else {
      let found = try count ?? truths.classCount()
      guard count != nil || found <= Self.mostFound else {
        throw UsageError(
          "the masks of \(folder) have brightnesses up to \(found - 1): --classes 2 takes them for masks, --classes \(found) for as many labels"
        )
      }
      classNames = Self.names(of: found, in: folder, known: known)
      reading =
        "\(found) classes, " + (count == nil ? "as the masks' highest label has it" : "as --classes says")
    }
  }

  /// Those of the objects that lie beside, else the network's, else numbers.
  private static func names(of count: Int, in folder: String, known: [String]) -> [String] {
    let file = "\(folder)/instances.json"
    if FileManager.default.fileExists(atPath: file),
      let objects = try? COCO(instances: file, pictures: "\(folder)/pictures"),
      objects.classNames.count == count - 1
    {
      return ["background"] + objects.classNames
    }
    return known.count == count ? known : (0..<count).map { "class \($0)" }
  }

  var count: Int { paths.count }
  func knownLabel(_ index: Int) -> Int? { nil }

  func picture(_ index: Int) throws -> AnnotatedPicture {
    let image = try Image(contentsOf: paths[index])
    let map = try truths.map(index, for: image, named: paths[index], labels: classNames).map
    return AnnotatedPicture(image: image, labelMap: map)
  }

  /// What the first mask was taken for.
  func firstReading() throws -> String {
    try truths.map(0, for: try Image(contentsOf: paths[0]), named: paths[0], labels: classNames).reading
  }
}
