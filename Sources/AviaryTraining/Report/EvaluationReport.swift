import Foundation

/// One page about how well a model does on data: numbers, curves of precision over recall, the confusion matrix. The page is one file with
/// everything in it.
public struct EvaluationReport: Sendable {
  /// Numbers under their titles.
  public struct Table: Sendable {
    /// What stands above.
    public let title: String
    /// Of the columns.
    public let columns: [String]
    /// Each as long as the columns are many.
    public let rows: [[String]]

    /// A table of rows that have a cell for each column.
    public init(_ title: String, columns: [String], rows: [[String]]) {
      self.title = title
      self.columns = columns
      self.rows = rows
    }
  }

  /// Precision at equal steps of recall from 0 to 1, of several thresholds.
  public struct PrecisionChart: Sendable {
    /// What stands above: a class.
    public let title: String
    /// Each with what the legend calls it.
    public let curves: [(name: String, precisions: [Double])]

    /// A chart of curves with their names.
    public init(_ title: String, curves: [(name: String, precisions: [Double])]) {
      self.title = title
      self.curves = curves
    }
  }

  /// The page's title.
  public var title: String
  /// Names and values that describe what was measured on what.
  public var facts: [(name: String, value: String)]
  /// The numbers.
  public var tables: [Table] = []
  /// Curves of detectors.
  public var precision: [PrecisionChart] = []
  /// What was taken for what; nil where nothing is counted so.
  public var confusion: ConfusionMatrix?

  /// A page without numbers, to which they can be added.
  public init(title: String, facts: [(name: String, value: String)]) {
    self.title = title
    self.facts = facts
  }

  /// The page.
  public var html: String {
    let charts = precision.map { chart in
      Chart(
        title: chart.title, axis: .share("recall"),
        curves: chart.curves.enumerated().map { place, curve in
          Chart.Curve(
            name: curve.name, values: curve.precisions.map { Float($0) }, isDashed: false, colour: place)
        })
    }
    return ReportPage.html(
      title: title,
      [ReportPage.facts(facts)] + tables.map { ReportPage.table($0.title, $0.columns, $0.rows) }
        + (charts.isEmpty ? [] : ["<h2>Precision by recall</h2>", ReportPage.charts(charts)])
        + [confusion.map(ReportPage.confusion) ?? ""])
  }

  /// Writes the page, complete or not at all. Throws a Foundation error when it cannot be written.
  public func write(to path: String) throws {
    try Data(html.utf8).write(to: URL(filePath: path), options: .atomic)
  }
}
