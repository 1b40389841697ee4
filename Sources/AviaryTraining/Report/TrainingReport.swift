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
    """
    <!DOCTYPE html>
    <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(title.escapedForHTML)</title><style>\(Self.style)</style></head><body>
    <h1>\(title.escapedForHTML)</h1>
    \(factTable)
    <div class="charts">\(charts.map(\.svg).joined(separator: "\n"))</div>
    \(epochTable)
    \(confusion.map(Self.confusionTable) ?? "")
    \(Self.gallery("Most certain", best))
    \(Self.gallery("Least like what they are", worst))
    </body></html>

    """
  }

  /// Writes the page, complete or not at all. Throws a Foundation error when it cannot be written.
  public func write(to path: String) throws {
    try Data(html.utf8).write(to: URL(filePath: path), options: .atomic)
  }

  // MARK: Parts

  private var factTable: String {
    let rows = facts.map {
      "<tr><th>\($0.name.escapedForHTML)</th><td>\($0.value.escapedForHTML)</td></tr>"
    }
    return rows.isEmpty ? "" : "<table class=\"facts\">\(rows.joined(separator: "\n"))</table>"
  }

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
      cells += [number(epoch.learningRate), String(format: "%.1f", epoch.seconds)]
      return "<tr>\(cells.map { "<td>\($0)</td>" }.joined())</tr>"
    }
    return """
      <h2>Epochs</h2><table class="numbers"><tr>\(titles.map { "<th>\($0.escapedForHTML)</th>" }.joined())</tr>
      \(rows.joined(separator: "\n"))</table>
      """
  }

  /// The whole matrix up to forty classes, else the most frequent mistakes.
  private static func confusionTable(_ matrix: ConfusionMatrix) -> String {
    let classes = matrix.occurring
    let names = classes.map { matrix.classNames[$0].escapedForHTML }
    let accuracy = String(format: "%.4f", matrix.accuracy)
    let head = "<h2>Confusion</h2><p>\(matrix.correct) of \(matrix.count) right, accuracy \(accuracy).</p>"
    guard classes.count <= 40 else {
      let rows = matrix.confusions.prefix(40).map {
        "<tr><td>\(matrix.classNames[$0.label].escapedForHTML)</td><td>\(matrix.classNames[$0.predicted].escapedForHTML)</td><td>\($0.count)</td></tr>"
      }
      return head
        + "<table class=\"numbers\"><tr><th>class</th><th>taken for</th><th>times</th></tr>\(rows.joined())</table>"
    }
    let rows = zip(classes, names).map { label, name in
      let count = max(matrix.count(of: label), 1)
      let cells = classes.map { predicted in
        let times = matrix[label, predicted]
        let share = Double(times) / Double(count)
        let colour = label == predicted ? "26,127,55" : "209,36,47"
        return times == 0
          ? "<td></td>"
          : "<td style=\"background:rgba(\(colour),\(String(format: "%.2f", 0.1 + 0.6 * share)))\">\(times)</td>"
      }
      return "<tr><th>\(name)</th>\(cells.joined())</tr>"
    }
    return head
      + "<table class=\"numbers\"><tr><th>is ↓ taken for →</th>\(names.map { "<th>\($0)</th>" }.joined())</tr>\(rows.joined(separator: "\n"))</table>"
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

  private static let style = """
    body{font:15px/1.45 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#1f2328;background:#fff}
    h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}table{border-collapse:collapse}
    th,td{padding:.2em .6em;text-align:left;border-bottom:1px solid #d1d9e0}.numbers td{text-align:right;font-variant-numeric:tabular-nums}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:1em}figure{margin:0}figcaption{font-weight:600}
    .grid{stroke:#d1d9e0}.tick{font-size:11px;fill:#59636e}.legend{display:flex;gap:1.2em;font-size:13px;flex-wrap:wrap}
    .gallery{display:flex;flex-wrap:wrap;gap:1em}.gallery img{width:128px;height:128px;object-fit:contain;image-rendering:pixelated;background:#eee}
    .gallery figcaption{font-weight:400;font-size:13px;max-width:128px}
    """
}
