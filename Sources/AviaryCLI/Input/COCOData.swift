import Aviary
import Foundation

/// Pictures with objects or captions in COCO's format that `--data` names: a file, whose pictures lie in another folder, or a folder as
/// `aviary draw scenes` writes it.
enum COCOData {
  /// What is known of the pictures, and under which name in a folder.
  enum Kind: String {
    case instances, captions
  }

  static let picturesOption = Option(
    "pictures", "FOLDER",
    "the pictures of a COCO file; without it, --data names a folder with pictures and instances.json or captions.json"
  )

  /// Says on stderr what is left out.
  ///
  /// - Parameter pictures: the folder of the pictures of a file.
  /// - Throws: ``UsageError`` when the pictures of a file are missing, `DataFile.Failure`.
  static func open(_ data: String, pictures: String?, _ kind: Kind) throws -> COCO {
    var (file, folder) = (data, pictures)
    if FileManager.default.isFolder(data) {
      file = Self.file(in: data, kind)
      folder = folder ?? "\(data)/pictures"
    }
    guard let folder else {
      throw UsageError("--pictures is missing: the folder of the pictures of \(data)")
    }
    let result =
      switch kind {
      case .instances: try COCO(instances: file, pictures: folder)
      case .captions: try COCO(captions: file, pictures: folder)
      }
    if !result.leftOut.isEmpty { Console.printError(result.summary) }
    return result
  }

  /// Where a folder has the file.
  static func file(in folder: String, _ kind: Kind) -> String { "\(folder)/\(kind.rawValue).json" }
}

extension FileManager {
  /// Whether something is there, and a folder.
  func isFolder(_ path: String) -> Bool {
    var result: ObjCBool = false
    return fileExists(atPath: path, isDirectory: &result) && result.boolValue
  }
}
