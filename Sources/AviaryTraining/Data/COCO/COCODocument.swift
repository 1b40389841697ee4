import Foundation

/// A COCO file as it stands in JSON (Lin et al. 2014; cocodataset.org/#format-data). Members that no task uses are not read.
struct COCODocument: Decodable {
  struct Picture: Decodable {
    let id: Int
    let fileName: String
    let width: Int
    let height: Int

    private enum CodingKeys: String, CodingKey {
      case id, width, height
      case fileName = "file_name"
    }
  }

  struct Annotation: Decodable {
    let id: Int
    let imageID: Int
    let categoryID: Int?
    let bbox: [Double]?
    let area: Double?
    let iscrowd: Int?
    let segmentation: Segmentation?
    let caption: String?

    private enum CodingKeys: String, CodingKey {
      case id, bbox, area, iscrowd, segmentation, caption
      case imageID = "image_id"
      case categoryID = "category_id"
    }
  }

  /// Polygons, or runs of pixels column by column.
  enum Segmentation: Decodable {
    case polygons([[Double]])
    case runLengths([Int], height: Int, width: Int)
    case compressed(String, height: Int, width: Int)

    private enum Key: CodingKey { case size, counts }

    init(from decoder: any Decoder) throws {
      guard let container = try? decoder.container(keyedBy: Key.self) else {
        self = .polygons(try [[Double]](from: decoder))
        return
      }
      let size = try container.decode([Int].self, forKey: .size)
      guard size.count == 2 else {
        throw DecodingError.dataCorruptedError(
          forKey: .size, in: container, debugDescription: "\(size.count) numbers instead of height and width")
      }
      if let text = try? container.decode(String.self, forKey: .counts) {
        self = .compressed(text, height: size[0], width: size[1])
      } else {
        self = .runLengths(
          try container.decode([Int].self, forKey: .counts), height: size[0], width: size[1])
      }
    }
  }

  struct Category: Decodable {
    let id: Int
    let name: String
  }

  let images: [Picture]
  let annotations: [Annotation]
  let categories: [Category]?

  /// Reads a file, plain or compressed by gzip; the error names the place in it.
  static func read(_ path: String) throws(DataFile.Failure) -> COCODocument {
    let content = Data(try DataFile.read(path))
    do {
      return try JSONDecoder().decode(COCODocument.self, from: content)
    } catch {
      throw DataFile.Failure(path: path, reason: "no COCO file: \(reason(of: error))")
    }
  }

  private static func reason(of error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    let (context, what): (DecodingError.Context, String) =
      switch error {
      case .keyNotFound(let key, let context): (context, "there is no \"\(key.stringValue)\"")
      case .typeMismatch(let type, let context): (context, "it is no \(type)")
      case .valueNotFound(let type, let context): (context, "there is nothing instead of \(type)")
      case .dataCorrupted(let context): (context, context.debugDescription)
      @unknown default: (DecodingError.Context(codingPath: [], debugDescription: ""), "\(error)")
      }
    let place = context.codingPath.map { key in key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)" }
      .joined()
    return place.isEmpty ? what : "at \(place): \(what)"
  }
}
