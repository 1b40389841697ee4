import Foundation

/// One page about training runs: what was trained, curves, the confusion matrix, and the pictures that were judged best and worst. The page
/// is one file with everything in it, and needs no network and no script.
public struct TrainingReport: Sendable {
  /// A run by name, so that several can stand in one picture.
  public struct Run: Sendable {
    /// What the legend calls it.
    public let name: String
    /// Its epochs in order.
    public let epochs: [EpochReport]

    /// A run with its epochs in order.
    public init(_ name: String, _ epochs: [EpochReport]) {
      self.name = name
      self.epochs = epochs
    }
  }

  /// A picture and what the network took it for.
  public struct Example: Sendable {
    /// The picture as a PNG file.
    public let png: [UInt8]
    /// What it shows.
    public let label: String
    /// What the network took it for.
    public let predicted: String
    /// How likely the network found `label`, from 0 to 1.
    public let probability: Float

    /// A judged picture.
    public init(png: [UInt8], label: String, predicted: String, probability: Float) {
      self.png = png
      self.label = label
      self.predicted = predicted
      self.probability = probability
    }
  }

  /// The page's title.
  public var title: String
  /// Names and values that describe what was done.
  public var facts: [(name: String, value: String)]
  /// The runs, the one that it is about first.
  public var runs: [Run]
  /// Of the best weights on the validation data; nil for what has no classes.
  public var confusion: ConfusionMatrix?
  /// Pictures that the network is right and surest about.
  public var best: [Example] = []
  /// Pictures that it found least likely to be what they are.
  public var worst: [Example] = []

  /// A page without pictures, to which they can be added.
  public init(
    title: String, facts: [(name: String, value: String)], runs: [Run], confusion: ConfusionMatrix? = nil
  ) {
    self.title = title
    self.facts = facts
    self.runs = runs
    self.confusion = confusion
  }

  /// The page.
  public var html: String {
    ReportPage.html(
      title: title,
      [
        ReportPage.facts(facts), ReportPage.charts(charts), epochTable,
        confusion.map(ReportPage.confusion) ?? "", Self.gallery("Most certain", best),
        Self.gallery("Least like what they are", worst),
      ])
  }

  /// Writes the page, complete or not at all. Throws a Foundation error when it cannot be written.
  public func write(to path: String) throws {
    try Data(html.utf8).write(to: URL(filePath: path), options: .atomic)
  }

  // MARK: Parts

  private var charts: [Chart] {
    let metrics = Set(runs.flatMap(\.epochs).flatMap { $0.training.metrics.keys }).sorted()
    func chart(_ title: String, _ value: @escaping (Evaluation) -> Float?) -> Chart {
      Chart(
        title: title,
        curves: runs.enumerated().flatMap { place, run -> [Chart.Curve] in
          let prefix = runs.count > 1 ? "\(run.name): " : ""
          let training = Chart.Curve(
            name: prefix + "training", values: run.epochs.map { value($0.training) }, isDashed: true,
            colour: place)
          guard run.epochs.contains(where: { $0.validation != nil }) else { return [training] }
          let validation = Chart.Curve(
            name: prefix + "validation", values: run.epochs.map { $0.validation.flatMap(value) },
            isDashed: false, colour: place)
          return [validation, training]
        })
    }
    let rates = Chart(
      title: "learning rate",
      curves: runs.enumerated().map { place, run in
        Chart.Curve(
          name: run.name, values: run.epochs.map(\.learningRate), isDashed: false, colour: place)
      })
    return [chart("loss") { $0.loss }] + metrics.map { name in chart(name) { $0.metrics[name] } } + [rates]
  }

  private var epochTable: String {
    guard let run = runs.first, !run.epochs.isEmpty else { return "" }
    let metrics = Set(run.epochs.flatMap { $0.training.metrics.keys }).sorted()
    let titles =
      ["epoch", "loss"] + metrics + ["validation loss"] + metrics.map { "validation \($0)" }
      + ["learning rate", "seconds"]
    func number(_ value: Float?) -> String { value.map { String(format: "%.4g", $0) } ?? "–" }
    let rows = run.epochs.map { epoch in
      var cells = ["\(epoch.epoch)", number(epoch.training.loss)]
      cells += metrics.map { number(epoch.training.metrics[$0]) }
      cells.append(number(epoch.validation?.loss))
      cells += metrics.map { number(epoch.validation?.metrics[$0]) }
      return cells + [number(epoch.learningRate), String(format: "%.1f", epoch.seconds)]
    }
    return ReportPage.table("Epochs", titles, rows)
  }

  private static func gallery(_ title: String, _ examples: [Example]) -> String {
    guard !examples.isEmpty else { return "" }
    let figures = examples.map { example in
      let caption =
        example.label == example.predicted
        ? example.label.escapedForHTML
        : "\(example.label.escapedForHTML), taken for \(example.predicted.escapedForHTML)"
      return """
        <figure><img alt="\(caption)" src="data:image/png;base64,\(Data(example.png).base64EncodedString())">\
        <figcaption>\(caption)<br>\(String(format: "%.1f %%", 100 * example.probability))</figcaption></figure>
        """
    }
    return "<h2>\(title)</h2><div class=\"gallery\">\(figures.joined(separator: "\n"))</div>"
  }
}
