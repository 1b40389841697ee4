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
    Option("labels", "LIST", "objects of these labels alone, with commas: dog,cat"),
    Option(
      "slice", "SIDE",
      "large pictures in squares of SIDE pixels as well as whole, for small objects; what is found twice is merged"
    ),
    Option("slice-overlap", "X", "the share that neighbouring squares have in common, by default 0.2"),
    Option(
      "explain", nil,
      "show how many candidates each step left: anchors, proposals, scores, suppression, and the options above"
    ),
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
    /// What each step left; nil where nobody asked.
    var steps: [SelectionStep]?
    var error: String?

    init(image: String) { self.image = image }

    enum CodingKeys: CodingKey { case image, detections, steps, error }

    /// With `null` for what there is not, so that each picture has `detections`.
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(image, forKey: .image)
      try container.encode(detections, forKey: .detections)
      try container.encodeIfPresent(steps, forKey: .steps)
      try container.encodeIfPresent(error, forKey: .error)
    }

    func show() {
      let objects = detections ?? []
      let count = objects.isEmpty ? "no object" : "\(objects.count) object\(objects.count == 1 ? "" : "s")"
      Console.print("\(image.onOneLine): \(count)")
      if let steps {
        Console.print(
          Console.table(
            ["part", "left", "count"], steps.map { [$0.part, $0.step, $0.count.grouped] }, right: [2]))
      }
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
    let slices = try slices(arguments)
    let isExplaining = arguments.has("explain")
    guard !isExplaining || slices == nil else {
      throw UsageError("--explain is of whole pictures: it goes not with --slice")
    }
    let detector = try arguments.model(
      Detector.self, name, runs: slices == nil ? operands.pictures.count : .max)
    let wanted = try labels(arguments, of: detector)
    var results: [COCOResult] = []
    try arguments.record(operands, name: Self.name) { (record: inout Record, picture, index) in
      let image = try picture.image()
      var (found, steps): ([Detection], [SelectionStep]) =
        isExplaining
        ? try detector.explain(image, threshold: threshold, named: picture.name)
        : (try self.objects(in: image, of: picture, detector, slices, threshold), [])
      func leave(_ rest: [Detection], by option: String) {
        found = rest
        steps.append(SelectionStep(part: "options", step: option, count: rest.count))
      }
      if let wanted { leave(found.filter { wanted.contains($0.label) }, by: "--labels") }
      if let overlap { leave(found.suppressed(threshold: Double(overlap)), by: "--iou \(overlap)") }
      if let most { leave(Array(found.prefix(most)), by: "--max \(most)") }
      if isExplaining { record.steps = steps }
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

  private static func objects(
    in image: Image, of picture: PictureOperand, _ detector: Detector, _ slices: PictureSlices?,
    _ threshold: Float?
  ) throws -> [Detection] {
    guard let slices else { return try detector.detect(image, threshold: threshold, named: picture.name) }
    let bar = ProgressBar()
    defer { bar.finish() }
    return try detector.detect(image, in: slices, threshold: threshold, named: picture.name) {
      bar.update("detect", done: $0, total: $1)
    }
  }

  private static func slices(_ arguments: Arguments) throws -> PictureSlices? {
    guard arguments.has("slice") else {
      if arguments.has("slice-overlap") { throw UsageError("--slice-overlap makes sense with --slice only") }
      return nil
    }
    return PictureSlices(
      side: try arguments.integer("slice", default: 640, in: 32...65_536),
      overlap: Double(try arguments.number("slice-overlap", default: 0.2, in: 0...0.9)))
  }

  /// Throws ``UsageError`` naming what the network has no label for.
  private static func labels(_ arguments: Arguments, of detector: Detector) throws -> Set<String>? {
    guard let text = arguments.string("labels") else { return nil }
    let words = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    if let unknown = words.first(where: { !detector.labels.contains($0) }) {
      throw UsageError(
        "--labels names \(unknown), which is none of the \(detector.labels.count) labels: \(detector.labels.prefix(12).joined(separator: ", "))\(detector.labels.count > 12 ? ", …" : "")"
      )
    }
    return Set(words)
  }
}
