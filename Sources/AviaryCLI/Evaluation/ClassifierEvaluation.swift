import Aviary
import Foundation

/// `aviary evaluate` for classifiers: loss and accuracy, class by class.
enum ClassifierEvaluation {
  private struct Report: Encodable {
    struct Class: Encodable {
      let name: String
      /// The position among the network's outputs.
      let output: Int
      let count: Int
      let correct: Int
      let accuracy: Float
      /// Of what was taken for the class, the share that is of it; absent where nothing was.
      let precision: Float?
      /// The harmonic mean of precision and accuracy.
      let f1: Float?
    }
    /// How often examples of the class of a row were taken for that of a column.
    struct Confusion: Encodable {
      let classes: [String]
      let counts: [[Int]]
    }
    let accuracy: Float
    /// The share of examples whose class is among the five likeliest, where there are more classes.
    let top5: Float?
    /// The mean of the classes' F1.
    let meanF1: Float?
    let loss: Float
    let count: Int
    let classes: [Class]
    let confusion: Confusion
    let leftOut: [String: Int]
    let errors: [String]

    init(_ result: ClassEvaluation, _ leftOut: LeftOut) {
      let matrix = result.matrix
      accuracy = matrix.accuracy
      top5 = result.topAccuracy
      meanF1 = matrix.meanF1
      loss = result.loss
      count = matrix.count
      classes = matrix.present.map { label in
        Class(
          name: matrix.classNames[label], output: label, count: matrix.count(of: label),
          correct: matrix.correct(of: label),
          accuracy: matrix.recall(of: label) ?? 0, precision: matrix.precision(of: label),
          f1: matrix.f1(of: label))
      }
      let occurring = matrix.occurring
      confusion = Confusion(
        classes: occurring.map { matrix.classNames[$0] },
        counts: occurring.map { label in occurring.map { matrix[label, $0] } })
      self.leftOut = leftOut.byText
      errors = result.errors
    }
  }

  static func run(_ name: String, _ arguments: Arguments) throws {
    let folder = try arguments.required("data")
    let batch = try arguments.integer("batch", default: 64, in: 1...4096)
    let loaded = try arguments.model(name)
    let found = try LabelledData.open(folder, isTraining: false, loaded, minimumClasses: 1)
    let data = try named(found, loaded, folder)
    loaded.tellChanges()
    let leftOut = (found as? FolderDataset)?.leftOut ?? LeftOut()
    if !leftOut.isEmpty, let pictures = found as? FolderDataset { Console.printError(pictures.summary) }
    let network = try arguments.network(loaded, runs: data.count / batch)
    let bar = ProgressBar()
    let result = ClassEvaluation(
      of: network, on: data, batch: batch,
      progress: { bar.update("evaluate", done: $0, total: $1) },
      failure: { error in
        bar.finish()
        Console.printError("aviary: \(error)")
      })
    bar.finish()
    let report = Report(result, leftOut)
    if let path = arguments.string("report") { try page(report, result.matrix, name, folder).write(to: path) }
    if arguments.has("json") {
      try Console.printJSON(report)
    } else {
      Console.print(text(report, result.matrix))
    }
    if !result.errors.isEmpty { throw ToldFailure() }
  }

  /// The data with the classes of the weights: by their names, or in their order where the weights have none.
  private static func named(
    _ data: any Dataset, _ loaded: LoadedClassifier, _ folder: String
  ) throws -> any Dataset {
    if loaded.hasClassNames {
      return RelabeledDataset(
        data, classes: try loaded.outputs(of: data.classNames), classNames: loaded.labels)
    }
    guard data.classNames.count == loaded.labels.count else {
      throw UsageError(
        "\(folder) has \(data.classNames.count) classes, the weights have \(loaded.labels.count) without names"
      )
    }
    Console.printError("the weights have no names of classes: the folders are taken in their order")
    return data
  }

  private static func page(
    _ report: Report, _ matrix: ConfusionMatrix, _ name: String, _ data: String
  ) -> EvaluationReport {
    var page = EvaluationReport(
      title: "\(name): classes of pictures",
      facts: [
        ("examples", "\(report.count) of \(data)"), ("accuracy", Console.fraction(report.accuracy)),
        ("top-5", Console.fraction(report.top5)), ("mean F1", Console.fraction(report.meanF1)),
        ("loss", Console.fraction(report.loss)),
      ])
    page.tables = [.init("Classes", columns: classColumns, rows: rows(report.classes))]
    page.confusion = matrix
    return page
  }

  private static let classColumns = ["class", "examples", "recognised", "accuracy", "precision", "F1"]

  private static func rows(_ classes: [Report.Class]) -> [[String]] {
    classes.map { row in
      ["\(row.name)", "\(row.count)", "\(row.correct)"]
        + [row.accuracy, row.precision, row.f1].map(Console.fraction)
    }
  }

  private static func text(_ report: Report, _ matrix: ConfusionMatrix) -> String {
    let loss = report.loss.isFinite ? String(format: "%.4f", report.loss) : "not a number"
    let more = [("top-5", report.top5), ("mean F1", report.meanF1)].compactMap { name, value in
      value.map { String(format: "  \(name) %.4f", $0) }
    }
    let summary =
      String(format: "accuracy %.4f  loss \(loss)", report.accuracy) + more.joined()
      + "  on \(report.count) examples"
    guard report.count > 0 else { return summary }
    let classes = Console.table(classColumns, rows(report.classes), right: [1, 2, 3, 4, 5])
    return "\(summary)\n\n\(classes)\n\n\(confusion(report.confusion, matrix))"
  }

  /// The whole matrix where it fits on a screen, else its largest mistakes.
  private static func confusion(_ confusion: Report.Confusion, _ matrix: ConfusionMatrix) -> String {
    if confusion.classes.count <= 12 {
      return Console.table(
        ["taken for"] + confusion.classes.map(\.onOneLine),
        zip(confusion.classes, confusion.counts).map { name, row in [name] + row.map(String.init) },
        right: Set(1...confusion.classes.count))
    }
    let rows = matrix.confusions.prefix(20).map {
      [matrix.classNames[$0.label], matrix.classNames[$0.predicted], "\($0.count)"]
    }
    return Console.table(["class", "most often taken for", "times"], rows, right: [2])
  }
}
