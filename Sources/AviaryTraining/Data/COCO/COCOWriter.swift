import AviaryVision
import Foundation

/// Writes pictures with objects, masks and captions in COCO's format, one by one: what ``COCO`` reads and pycocotools evaluates.
///
/// Categories are numbered from 1, in the order of the classes; annotations too, since the number 0 counts as no match in COCO's evaluation. Masks
/// are compressed runs of pixels.
public struct COCOWriter {
  private struct Picture: Encodable {
    let id: Int
    let fileName: String
    let width: Int
    let height: Int
  }

  private struct Category: Encodable {
    let id: Int
    let name: String
  }

  private struct Object: Encodable {
    let id: Int
    let imageId: Int
    let categoryId: Int
    /// x, y, width, height.
    let bbox: [Float]
    let area: Float
    let iscrowd: Int
    let segmentation: Mask?
  }

  private struct Sentence: Encodable {
    let id: Int
    let imageId: Int
    let caption: String
  }

  private struct Document<Annotation: Encodable>: Encodable {
    let images: [Picture]
    let annotations: [Annotation]
    let categories: [Category]?
  }

  private let categories: [Category]
  private var pictures: [Picture] = []
  private var objects: [Object] = []
  private var sentences: [Sentence] = []

  /// - Parameter classNames: in the order of the objects' labels.
  public init(classNames: [String]) {
    categories = classNames.enumerated().map { Category(id: $0 + 1, name: $1) }
  }

  /// A picture that lies under `file` in the folder of all pictures.
  public mutating func add(_ picture: AnnotatedPicture, file: String) {
    let image = pictures.count + 1
    pictures.append(
      Picture(id: image, fileName: file, width: picture.image.width, height: picture.image.height))
    for instance in picture.instances {
      let box = instance.box
      let mask = instance.mask
      objects.append(
        Object(
          id: objects.count + 1, imageId: image, categoryId: instance.labelIndex + 1,
          bbox: [box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1],
          area: mask.map { Float($0.area) } ?? box.area,
          iscrowd: instance.isCrowd ? 1 : 0,
          segmentation: mask))
    }
    for caption in picture.captions {
      sentences.append(Sentence(id: sentences.count + 1, imageId: image, caption: caption))
    }
  }

  /// Writes the files of objects and of captions, each whole or not at all.
  public func write(instances: String, captions: String) throws {
    func write(_ document: some Encodable, to path: String) throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys]
      encoder.keyEncodingStrategy = .convertToSnakeCase
      try encoder.encode(document).write(to: URL(filePath: path), options: .atomic)
    }
    try write(Document(images: pictures, annotations: objects, categories: categories), to: instances)
    try write(Document(images: pictures, annotations: sentences, categories: nil), to: captions)
  }
}
