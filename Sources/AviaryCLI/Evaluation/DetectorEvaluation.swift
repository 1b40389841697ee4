import Aviary
import Foundation

/// `aviary evaluate` for detectors: COCO's twelve numbers for boxes, and for masks where the network makes some, and each class' precision.
enum DetectorEvaluation {
  static let options = [COCOData.picturesOption]

  private struct Report: Encodable {
    struct Class: Encodable {
      let name: String
      let boxes: COCOSummary
      let masks: COCOSummary?
    }
    let pictures: Int
    let boxes: COCOSummary
    let masks: COCOSummary?
    let classes: [Class]
    /// Classes of the data that the network does not know: their objects are never found.
    let unknownClasses: [String]
    let leftOut: [String: Int]
    let errors: [String]
  }

  /// Classes of COCO that darknet's list calls by PASCAL VOC's names, in both directions.
  private static let otherNames: [String: String] = {
    let names = [
      "motorbike": "motorcycle", "aeroplane": "airplane", "sofa": "couch", "pottedplant": "potted plant",
      "diningtable": "dining table", "tvmonitor": "tv",
    ]
    return names.merging(names.map { ($0.value, $0.key) }) { first, _ in first }
  }()

  static func run(_ name: String, _ arguments: Arguments) throws {
    let file = try arguments.required("data")
    let data = try COCOData.open(file, pictures: arguments.string("pictures"), .instances)
    let count = min(data.count, try arguments.integer("limit", default: data.count, in: 1...Int.max))
    let detector = try arguments.model(Detector.self, name, runs: count)
    // The data's classes among the network's labels, by their names.
    let labels = data.classNames.map { name -> Int? in
      detector.labels.firstIndex(of: name)
        ?? otherNames[name].flatMap { detector.labels.firstIndex(of: $0) }
    }
    let unknown = zip(data.classNames, labels).filter { $1 == nil }.map(\.0)
    guard unknown.count < data.classNames.count else {
      throw UsageError("\(name) knows none of the \(data.classNames.count) classes of \(file)")
    }
    if !unknown.isEmpty {
      Console.printError("\(name) does not know \(unknown.joined(separator: ", ")): these are never found")
    }
    let numbers = labels.enumerated().map { $1 ?? detector.labels.count + $0 }

    var (boxes, masks) = (COCOEvaluation(.boxes), COCOEvaluation(.masks))
    var hasMasks = false
    var errors: [String] = []
    var measured = 0
    let bar = ProgressBar()
    for index in 0..<count {
      do {
        let picture = try data.picture(index)
        let found = try detector.detect(picture.image, threshold: 0, named: data.file(index))
        let truth = zip(picture.instances, data.areas(index)).map { instance, area in
          var known = instance
          known.labelIndex = numbers[instance.labelIndex]
          return COCOEvaluation.Truth(known, area: area)
        }
        boxes.add(found, truth: truth)
        masks.add(found, truth: truth.filter { $0.instance.mask != nil })
        hasMasks = hasMasks || found.contains { $0.mask != nil }
        measured += 1
      } catch {
        bar.finish()
        errors.append("\(error)")
        Console.printError("aviary: \(error)")
      }
      bar.update("evaluate", done: index + 1, total: count)
    }
    bar.finish()
    let report = Report(
      pictures: measured, boxes: boxes.summary, masks: hasMasks ? masks.summary : nil,
      classes: boxes.classes.map { label in
        let name = numbers.firstIndex(of: label).map { data.classNames[$0] } ?? "\(label)"
        return Report.Class(
          name: name, boxes: boxes.summary(of: label), masks: hasMasks ? masks.summary(of: label) : nil)
      }, unknownClasses: unknown, leftOut: data.leftOut.byText, errors: errors)
    if let path = arguments.string("report") {
      var page = page(report, name, file)
      page.precision = curves(of: boxes, labels: detector.labels, of: "boxes")
      if hasMasks { page.precision += curves(of: masks, labels: detector.labels, of: "masks") }
      try page.write(to: path)
    }
    if arguments.has("json") { try Console.printJSON(report) } else { Console.print(text(report)) }
    if !errors.isEmpty { throw ToldFailure() }
  }

  private static func page(_ report: Report, _ name: String, _ data: String) -> EvaluationReport {
    var page = EvaluationReport(
      title: "\(name): objects",
      facts: [("pictures", "\(report.pictures) of \(data)")]
        + (report.unknownClasses.isEmpty
          ? [] : [("never found", report.unknownClasses.joined(separator: ", "))]))
    let summaries = [("boxes", report.boxes), report.masks.map { ("masks", $0) }].compactMap(\.self)
    page.tables = [
      .init(
        "COCO's numbers", columns: [""] + summaries.map(\.0),
        rows: report.boxes.rows.indices.map { row in
          [report.boxes.rows[row].name] + summaries.map { Console.fraction($0.1.rows[row].value) }
        }),
      .init(
        "Classes", columns: ["class"] + summaries.flatMap { ["AP of \($0.0)", "AP50", "AP75"] },
        rows: report.classes.map { row in
          [row.name]
            + ([row.boxes] + (row.masks.map { [$0] } ?? [])).flatMap {
              [Console.fraction($0.averagePrecision), Console.fraction($0.at50), Console.fraction($0.at75)]
            }
        }),
    ]
    return page
  }

  /// The mean over classes first, then each class.
  private static func curves(
    of evaluation: COCOEvaluation, labels: [String], of what: String
  ) -> [EvaluationReport.PrecisionChart] {
    let thresholds = [("IoU .50", 0), ("IoU .75", 5), ("IoU .95", 9)]
    let charts = evaluation.classes.map { label in
      EvaluationReport.PrecisionChart(
        "\(labels.indices.contains(label) ? labels[label] : "class \(label)"), \(what)",
        curves: thresholds.compactMap { name, place in
          evaluation.precisions(of: label, threshold: place).map { (name, $0) }
        })
    }
    guard let first = charts.first, charts.count > 1 else { return charts }
    let means = first.curves.indices.map { curve in
      let all = charts.map { $0.curves[curve].precisions }
      return (
        name: first.curves[curve].name,
        precisions: all[0].indices.map { place in
          all.reduce(0) { $0 + $1[place] } / Double(all.count)
        }
      )
    }
    return [.init("all classes, \(what)", curves: means)] + charts
  }

  private static func text(_ report: Report) -> String {
    let summaries = [("boxes", report.boxes), report.masks.map { ("masks", $0) }].compactMap(\.self)
    let totals = Console.table(
      ["\(report.pictures) pictures"] + summaries.map(\.0),
      report.boxes.rows.indices.map { row in
        [report.boxes.rows[row].name] + summaries.map { Console.fraction($0.1.rows[row].value) }
      }, right: [1, 2])
    let classes = Console.table(
      ["class"] + summaries.flatMap { ["AP of \($0.0)", "AP50"] },
      report.classes.map { row in
        [row.name]
          + ([row.boxes] + (row.masks.map { [$0] } ?? [])).flatMap {
            [Console.fraction($0.averagePrecision), Console.fraction($0.at50)]
          }
      }, right: [1, 2, 3, 4])
    return "\(totals)\n\n\(classes)"
  }
}
