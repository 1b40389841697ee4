import Aviary
import Foundation

enum DetectCommand: Command {
  static let name = "detect"
  static let summary =
    "Finds the objects in pictures, with a box around each. Folders, patterns and - (standard input) may be named too; of several pictures, drawings go to a folder, under the pictures' names."
  static let operands = "MODEL IMAGE..."
  static let options = [
    Option.weights,
    Option(
      "threshold", "X", "the score that objects must exceed, from 0 to 1; by default that of the weights"),
    Option(
      "iou", "X",
      "of objects of one kind that overlap by more, the surest alone, from 0 to 1; besides what the network does"
    ),
    Option("max", "N", "at most N objects of a picture, the surest"),
    Option("output", "FILE", "the picture with boxes and masks drawn, .png or .jpg, or a folder"),
    Option(
      "results", "FILE",
      "all objects as COCO's results, .json; a picture's image_id is the number that its name ends with, else its place from 1"
    ),
    Option.set, Option.exact, Option.eager, Option.precision, Option.json,
  ]
  static let example =
    "aviary detect detr_resnet50 --weights detr-r50-e632da11.pth dog.jpg --output boxes.png"

  private struct Record: PictureRecord {
    struct Object: Encodable {
      let label: String
      let labelIndex: Int
      let score: Float
      /// x1, y1, x2, y2 in pixels.
      let box: [Float]
      /// COCO's run lengths; nil from networks without masks.
      let segmentation: Mask?

      init(_ detection: Detection) {
        (label, labelIndex, score) = (detection.label, detection.labelIndex, detection.score)
        box = [detection.box.x1, detection.box.y1, detection.box.x2, detection.box.y2]
        segmentation = detection.mask
      }
    }
    let image: String
    /// Nil where there was an error.
    var detections: [Object]?
    var error: String?

    init(image: String) { self.image = image }

    enum CodingKeys: CodingKey { case image, detections, error }

    /// With `null` for what there is not, so that each picture has `detections`.
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(image, forKey: .image)
      try container.encode(detections, forKey: .detections)
      try container.encodeIfPresent(error, forKey: .error)
    }

    func show() {
      let objects = detections ?? []
      let count = objects.isEmpty ? "no object" : "\(objects.count) object\(objects.count == 1 ? "" : "s")"
      Console.print("\(image.onOneLine): \(count)")
      if objects.isEmpty { return }
      let rows = objects.map { object in
        [object.label, String(format: "%.3f", object.score)] + object.box.map { String(format: "%.1f", $0) }
      }
      Console.print(
        Console.table(["label", "score", "x1", "y1", "x2", "y2"], rows, right: [1, 2, 3, 4, 5]))
    }
  }

  /// An object as COCO's results have it.
  private struct COCOResult: Encodable {
    let imageID: Int
    let categoryID: Int
    /// x, y, width, height in pixels.
    let bbox: [Float]
    let score: Float
    let segmentation: Mask?

    private enum CodingKeys: String, CodingKey {
      case imageID = "image_id"
      case categoryID = "category_id"
      case bbox, score, segmentation
    }
  }

  /// The number that a picture's name ends with, else its place from 1.
  private static func imageID(_ name: String, place: Int) -> Int {
    let stem = URL(filePath: name).deletingPathExtension().lastPathComponent
    let digits = stem.reversed().prefix { $0.isASCII && $0.isNumber }
    return Int(String(digits.reversed())) ?? place + 1
  }

  static func run(_ arguments: Arguments) throws {
    let (name, words) = try arguments.firstAndRest()
    try Catalogue.selection(name).entry.require(Detector.task)
    let operands = PictureOperands(words)
    let drawings = try PictureOutputs(
      arguments, "output", for: operands.pictures, endings: ["png", "jpg", "jpeg"])
    let threshold =
      arguments.has("threshold") ? try arguments.number("threshold", default: 0, in: 0...1) : nil
    let overlap = arguments.has("iou") ? try arguments.number("iou", default: 0, in: 0...1) : nil
    let most = arguments.has("max") ? try arguments.integer("max", default: 1, in: 1...Int.max) : nil
    let detector = try arguments.model(Detector.self, name, runs: operands.pictures.count)
    var results: [COCOResult] = []
    try arguments.record(operands, name: Self.name) { (record: inout Record, picture, index) in
      let image = try picture.image()
      var found = try detector.detect(image, threshold: threshold, named: picture.name)
      if let overlap { found = found.suppressed(threshold: Double(overlap)) }
      if let most { found = Array(found.prefix(most)) }
      results += found.map {
        COCOResult(
          imageID: imageID(picture.name, place: index), categoryID: $0.labelIndex, bbox: $0.box.coco,
          score: $0.score, segmentation: $0.mask)
      }
      try drawings.map { try image.drawing(boxes: found).write(to: $0.path(index)) }
      record.detections = found.map { Record.Object($0) }
    }
    if let path = arguments.string("results") {
      try JSONEncoder().encode(results).write(to: URL(filePath: path), options: .atomic)
    }
  }
}
