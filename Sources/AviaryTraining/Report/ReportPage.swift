import Foundation

/// The parts of a page that is one file with everything in it, and needs no network and no script.
enum ReportPage {
  /// A page of parts below its title.
  static func html(title: String, _ parts: [String]) -> String {
    """
    <!DOCTYPE html>
    <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(title.escapedForHTML)</title><style>\(style)</style></head><body>
    <h1>\(title.escapedForHTML)</h1>
    \(parts.joined(separator: "\n"))
    </body></html>

    """
  }

  /// Names and values.
  static func facts(_ facts: [(name: String, value: String)]) -> String {
    let rows = facts.map {
      "<tr><th>\($0.name.escapedForHTML)</th><td>\($0.value.escapedForHTML)</td></tr>"
    }
    return rows.isEmpty ? "" : "<table class=\"facts\">\(rows.joined(separator: "\n"))</table>"
  }

  /// Charts side by side.
  static func charts(_ charts: [Chart]) -> String {
    "<div class=\"charts\">\(charts.map(\.svg).joined(separator: "\n"))</div>"
  }

  /// Numbers under their titles.
  static func table(_ title: String, _ titles: [String], _ rows: [[String]]) -> String {
    let rows = rows.map { "<tr>\($0.map { "<td>\($0.escapedForHTML)</td>" }.joined())</tr>" }
    return """
      <h2>\(title.escapedForHTML)</h2><table class="numbers"><tr>\(titles.map { "<th>\($0.escapedForHTML)</th>" }.joined())</tr>
      \(rows.joined(separator: "\n"))</table>
      """
  }

  /// The whole matrix up to forty classes, else the most frequent mistakes.
  static func confusion(_ matrix: ConfusionMatrix) -> String {
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
