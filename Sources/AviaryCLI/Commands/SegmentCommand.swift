import Aviary
import Foundation

enum SegmentCommand: Command {
  static let name = "segment"
  static let summary =
    "Says of each pixel which class it is of. Folders, patterns and - (standard input) may be named too; of several pictures, what is written goes to folders, under the pictures' names."
  static let operands = "MODEL IMAGE..."
  static let options = [
    Option.weights,
    Option(
      "output", "FILE", "a .png of the classes, or a folder: of two classes 0 and 255, of more the labels"),
    Option("coloured", nil, "write the classes in the colours of PASCAL VOC"),
    Option("overlay", "FILE", "a picture with the classes' colours over it, or a folder"),
    Option(
      "probabilities", "FILE",
      "a .npz with 'probabilities', classes × height × width, or a .png of the second of two classes; or a folder of .npz"
    ),
    Option(
      "truth", "FILE",
      "a picture of the real classes to compare with, or a folder of such under the same names"),
    Option.set, Option.exact, Option.eager, Option.precision, Option.json,
  ]
  static let example =
    "aviary segment unet_drive --weights retina_unet_drive_best.h5 retina.png --output vessels.png --overlay red.png"

  private struct Record: PictureRecord {
    struct Class: Encodable {
      let label: String
      let labelIndex: Int
      let pixels: Int
      let share: Double
      var dice: Double?
      var iou: Double?
    }
    let image: String
    var width: Int?
    var height: Int?
    /// Nil where there was an error.
    var classes: [Class]?
    /// What the truth was taken for; nil without one.
    var truthReadAs: String?
    var pixelAccuracy: Double?
    /// Pixels by true class, then by the one that was found.
    var confusion: [[Int]]?
    var error: String?

    init(image: String) { self.image = image }

    enum CodingKeys: CodingKey {
      case image, width, height, classes, truthReadAs, pixelAccuracy, confusion, error
    }

    /// With `null` for what there is not, so that each picture has `classes`.
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(image, forKey: .image)
      try container.encodeIfPresent(width, forKey: .width)
      try container.encodeIfPresent(height, forKey: .height)
      try container.encode(classes, forKey: .classes)
      try container.encodeIfPresent(truthReadAs, forKey: .truthReadAs)
      try container.encodeIfPresent(pixelAccuracy, forKey: .pixelAccuracy)
      try container.encodeIfPresent(confusion, forKey: .confusion)
      try container.encodeIfPresent(error, forKey: .error)
    }

    func show() {
      Console.print("\(image.onOneLine): \(width!)×\(height!) pixels")
      let rows = classes!.map {
        ["\($0.label)", $0.pixels.grouped, String(format: "%.2f %%", $0.share * 100)]
      }
      guard let pixelAccuracy, let truthReadAs else {
        return Console.print(Console.table(["class", "pixels", "share"], rows, right: [1, 2]))
      }
      let scores = classes!.map { [Console.fraction($0.dice), Console.fraction($0.iou)] }
      Console.print(
        Console.table(
          ["class", "pixels", "share", "Dice", "IoU"], zip(rows, scores).map(+), right: [1, 2, 3, 4]))
      Console.print(
        "pixel accuracy \(Console.fraction(pixelAccuracy)); the truth was read as \(truthReadAs.onOneLine)"
      )
    }
  }

  static func run(_ arguments: Arguments) throws {
    let (name, words) = try arguments.firstAndRest()
    try Catalogue.selection(name).entry.require(Segmenter.task)
    let operands = PictureOperands(words)
    let pictures = operands.pictures
    let masks = try PictureOutputs(arguments, "output", for: pictures, endings: ["png"])
    let overlays = try PictureOutputs(arguments, "overlay", for: pictures, endings: ["png", "jpg", "jpeg"])
    let shares = try PictureOutputs(arguments, "probabilities", for: pictures, endings: ["npz", "png"])
    try PictureOutputs.requireDistinct([masks, overlays, shares])
    let truths = try TruthMasks(arguments, for: pictures)
    let segmenter = try arguments.model(Segmenter.self, name, runs: pictures.count)
    let count = segmenter.labels.count
    var total = SegmentationMetrics(classCount: count)
    try arguments.record(operands, name: Self.name) { (record: inout Record, picture, index) in
      let image = try picture.image()
      let found = try segmenter.segment(image, named: picture.name)
      let mask =
        arguments.has("coloured")
        ? found.map.coloured() : count == 2 ? found.map.mask() : found.map.picture
      try masks.map { try mask.write(to: $0.path(index)) }
      try overlays.map { try found.map.overlaid(on: image).write(to: $0.path(index)) }
      try shares.map { try write(found, to: $0.path(index)) }
      fill(&record, found)
      guard let truths else { return }
      let (truth, reading) = try truths.map(index, for: image, named: picture.name, labels: found.labels)
      var metrics = SegmentationMetrics(classCount: count)
      try metrics.add(found.map, truth: truth)
      try total.add(found.map, truth: truth)
      fill(&record, metrics)
      record.truthReadAs = reading
    } finish: {
      if truths != nil, pictures.count > 1 { show(total, segmenter.labels) }
    }
  }

  private static func fill(_ record: inout Record, _ found: Segmentation) {
    (record.width, record.height) = (found.map.width, found.map.height)
    let (counts, shares) = (found.map.counts, found.shares)
    record.classes = found.labels.enumerated().map { index, label in
      Record.Class(label: label, labelIndex: index, pixels: counts[index], share: shares[index])
    }
  }

  private static func fill(_ record: inout Record, _ metrics: SegmentationMetrics) {
    for index in 0..<metrics.classCount {
      record.classes?[index].dice = metrics.dice[index]
      record.classes?[index].iou = metrics.iou[index]
    }
    record.pixelAccuracy = metrics.pixelAccuracy
    record.confusion = metrics.confusion
  }

  /// A picture shows one number for each pixel.
  private static func write(_ found: Segmentation, to path: String) throws {
    if PictureOutputs.ending(path) == "npz" {
      let archive = try WeightArchive([("probabilities", found.probabilities)])
      return try WeightFile.write(archive, to: path, as: .npz)
    }
    guard found.labels.count == 2 else {
      throw UsageError("--probabilities takes a .npz for \(found.labels.count) classes, not \(path)")
    }
    try found.picture(ofClass: 1).write(to: path)
  }

  /// The metrics of all pictures together.
  private static func show(_ total: SegmentationMetrics, _ labels: [String]) {
    let rows = zip(labels, zip(total.dice, total.iou)).map {
      [$0, Console.fraction($1.0), Console.fraction($1.1)]
    }
    Console.print("all pictures together")
    Console.print(Console.table(["class", "Dice", "IoU"], rows, right: [1, 2]))
    Console.print("pixel accuracy \(Console.fraction(total.pixelAccuracy))")
  }
}
