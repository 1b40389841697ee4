import Aviary
import Foundation

/// `aviary evaluate` for segmenters: intersection over union, Dice and confusion of the classes, over all pixels of all pictures together.
enum SegmenterEvaluation {
  static let options = [
    Option(
      "truth", "FOLDER",
      "for segmenters: pictures of the real classes under the names of those of --data; by default the folder masks beside or in it"
    )
  ]

  private struct Report: Encodable {
    struct Class: Encodable {
      let label: String
      let labelIndex: Int
      /// Of the pixels that count, the share that is of it.
      let share: Double
      let iou: Double?
      let dice: Double?
    }
    let pictures: Int
    let meanIoU: Double?
    let meanDice: Double?
    let pixelAccuracy: Double?
    let classes: [Class]
    /// Pixels by true class, then by the one that was found.
    let confusion: [[Int]]
    /// What the truths were taken for.
    let truthReadAs: [String]
    let errors: [String]

    init(
      _ metrics: SegmentationMetrics, _ labels: [String], readAs: Set<String>, count: Int, _ errors: [String]
    ) {
      let all = metrics.confusion
      let pixels = Double(max(metrics.counts.reduce(0, +), 1))
      pictures = count
      (meanIoU, meanDice, pixelAccuracy) = (metrics.meanIoU, metrics.meanDice, metrics.pixelAccuracy)
      classes = labels.enumerated().map { index, label in
        Class(
          label: label, labelIndex: index, share: Double(all[index].reduce(0, +)) / pixels,
          iou: metrics.iou[index], dice: metrics.dice[index])
      }
      confusion = all
      truthReadAs = readAs.sorted()
      self.errors = errors
    }
  }

  static func run(_ name: String, _ arguments: Arguments) throws {
    let folders = try folders(arguments)
    let operands = PictureOperands([folders.pictures])
    let count = min(
      operands.pictures.count,
      try arguments.integer("limit", default: operands.pictures.count, in: 1...Int.max))
    let pictures = Array(operands.pictures.prefix(count))
    if !operands.leftOut.isEmpty { Console.printError("\(folders.pictures): left out: \(operands.leftOut)") }
    let truths = try TruthMasks(folders.truth, for: pictures)
    let segmenter = try arguments.model(Segmenter.self, name, runs: count)
    var metrics = SegmentationMetrics(classCount: segmenter.labels.count)
    var (errors, readAs, measured): ([String], Set<String>, Int) = ([], [], 0)
    let bar = ProgressBar()
    for (index, picture) in pictures.enumerated() {
      do {
        let image = try picture.image()
        let found = try segmenter.segment(image, named: picture.name)
        let (truth, reading) = try truths.map(index, for: image, named: picture.name, labels: found.labels)
        try metrics.add(found.map, truth: truth)
        readAs.insert(reading)
        measured += 1
      } catch {
        bar.finish()
        errors.append("\(picture.name): \(error)")
        Console.printError("aviary: \(picture.name): \(error)")
      }
      bar.update("evaluate", done: index + 1, total: count)
    }
    bar.finish()
    let report = Report(metrics, segmenter.labels, readAs: readAs, count: measured, errors)
    if let path = arguments.string("report") { try page(report, name, folders.pictures).write(to: path) }
    if arguments.has("json") { try Console.printJSON(report) } else { Console.print(text(report)) }
    if !errors.isEmpty { throw ToldFailure() }
  }

  /// Where the pictures and their classes lie: `pictures` and `masks` in one folder, as `aviary draw scenes` writes them, or wherever
  /// `--truth` says.
  private static func folders(_ arguments: Arguments) throws -> (pictures: String, truth: String) {
    let data = try arguments.required("data")
    let inner = "\(data)/pictures"
    let pictures = FileManager.default.isFolder(inner) ? inner : data
    if let truth = arguments.string("truth") { return (pictures, truth) }
    let beside = URL(filePath: pictures).deletingLastPathComponent().appending(path: "masks").path
    guard FileManager.default.isFolder(beside), beside != URL(filePath: pictures).path else {
      throw UsageError(
        "the real classes of \(data) are neither in \(beside) nor named: --truth names a folder of pictures of them"
      )
    }
    return (pictures, beside)
  }

  private static let classColumns = ["class", "share", "IoU", "Dice"]

  private static func rows(_ classes: [Report.Class]) -> [[String]] {
    classes.map { row in
      [row.label, String(format: "%.2f %%", 100 * row.share)] + [row.iou, row.dice].map(Console.fraction)
    }
  }

  private static func text(_ report: Report) -> String {
    let classes = Console.table(classColumns, rows(report.classes), right: [1, 2, 3])
    let readings = report.truthReadAs.map(\.onOneLine).joined(separator: "; ")
    return """
      mean IoU \(Console.fraction(report.meanIoU))  mean Dice \(Console.fraction(report.meanDice))  pixel accuracy \(Console.fraction(report.pixelAccuracy))  on \(report.pictures) pictures
      the truth was read as \(readings.isEmpty ? "nothing" : readings)

      \(classes)
      """
  }

  private static func page(_ report: Report, _ name: String, _ data: String) -> EvaluationReport {
    var page = EvaluationReport(
      title: "\(name): classes of pixels",
      facts: [
        ("pictures", "\(report.pictures) of \(data)"), ("mean IoU", Console.fraction(report.meanIoU)),
        ("mean Dice", Console.fraction(report.meanDice)),
        ("pixel accuracy", Console.fraction(report.pixelAccuracy)),
        ("truth", report.truthReadAs.joined(separator: "; ")),
      ])
    page.tables = [.init("Classes", columns: classColumns, rows: rows(report.classes))]
    var matrix = ConfusionMatrix(classNames: report.classes.map(\.label))
    for (truth, row) in report.confusion.enumerated() {
      for (found, count) in row.enumerated() { matrix.add(class: truth, predicted: found, count: count) }
    }
    page.confusion = matrix
    return page
  }
}
