import Foundation

/// Curves as an SVG picture.
struct Chart {
  /// What values stand for, from left to right.
  enum Axis {
    /// Epochs 1, 2, ….
    case epochs
    /// Equal steps from 0 to 1 of what is named.
    case share(String)

    var name: String {
      switch self {
      case .epochs: "epoch"
      case .share(let name): name
      }
    }

    /// Places that are marked among `count`, and how.
    func ticks(_ count: Int) -> [(place: Int, text: String)] {
      switch self {
      case .epochs: stride(from: 0, to: count, by: max(1, (count + 9) / 10)).map { ($0, "\($0 + 1)") }
      case .share: (0...5).map { ($0 * (count - 1) / 5, String(format: "%.1f", Double($0) / 5)) }
      }
    }
  }

  /// Values from left to right; nil where there is none.
  struct Curve {
    let name: String
    let values: [Float?]
    /// Drawn with a broken line: the training beside its validation.
    let isDashed: Bool
    /// Which of the colours.
    let colour: Int
  }

  let title: String
  var axis = Axis.epochs
  let curves: [Curve]

  private static let (width, height) = (560.0, 300.0)
  private static let (left, right, top, bottom) = (60.0, 16.0, 28.0, 40.0)
  private static let colours = ["#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a"]

  var svg: String {
    let all = curves.flatMap { $0.values.compactMap(\.self) }.map(Double.init).filter(\.isFinite)
    guard let low = all.min(), let high = all.max() else { return "" }
    let count = curves.map(\.values.count).max() ?? 1
    let ticks = Self.ticks(low, high)
    let (bottomValue, topValue) = (min(low, ticks.first!), max(high, ticks.last!))
    func x(_ place: Int) -> Double {
      let share = count > 1 ? Double(place) / Double(count - 1) : 0.5
      return Self.left + share * (Self.width - Self.left - Self.right)
    }
    func y(_ value: Double) -> Double {
      let share = topValue > bottomValue ? (value - bottomValue) / (topValue - bottomValue) : 0.5
      return Self.height - Self.bottom - share * (Self.height - Self.top - Self.bottom)
    }
    let grid = ticks.map { tick in
      let (place, text) = (Self.text(y(tick)), String(format: "%.4g", tick))
      return """
        <line x1="\(Int(Self.left))" x2="\(Int(Self.width - Self.right))" y1="\(place)" y2="\(place)" class="grid"/>\
        <text x="\(Int(Self.left) - 6)" y="\(place)" class="tick" text-anchor="end" dy="0.35em">\(text)</text>
        """
    }
    let marks = axis.ticks(count).map { place, text in
      """
      <text x="\(Self.text(x(place)))" y="\(Int(Self.height - Self.bottom) + 16)" class="tick" text-anchor="middle">\(text)</text>
      """
    }
    let lines = curves.map { curve -> String in
      let points = curve.values.enumerated().compactMap { place, value in
        value.flatMap { $0.isFinite ? (x(place), y(Double($0))) : nil }
      }
      let path = points.map { "\(Self.text($0.0)),\(Self.text($0.1))" }.joined(separator: " ")
      let colour = Self.colours[curve.colour % Self.colours.count]
      let dash = curve.isDashed ? " stroke-dasharray=\"5 4\"" : ""
      let dots = points.map {
        "<circle cx=\"\(Self.text($0.0))\" cy=\"\(Self.text($0.1))\" r=\"2\" fill=\"\(colour)\"/>"
      }
      return "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.6\"\(dash)/>"
        + (points.count <= 60 ? dots.joined() : "")
    }
    let legend = curves.map { curve in
      let colour = Self.colours[curve.colour % Self.colours.count]
      return
        "<span><svg width=\"26\" height=\"8\"><line x1=\"0\" x2=\"26\" y1=\"4\" y2=\"4\" stroke=\"\(colour)\" stroke-width=\"2\"\(curve.isDashed ? " stroke-dasharray=\"5 4\"" : "")/></svg> \(curve.name.escapedForHTML)</span>"
    }
    return """
      <figure><figcaption>\(title.escapedForHTML)</figcaption>
      <svg viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" aria-label="\(title.escapedForHTML) by \(axis.name.escapedForHTML)">
      \((grid + marks + lines).joined(separator: "\n"))
      <text x="\(Int((Self.left + Self.width - Self.right) / 2))" y="\(Int(Self.height) - 6)" class="tick" text-anchor="middle">\(axis.name.escapedForHTML)</text>
      </svg><div class="legend">\(legend.joined(separator: " "))</div></figure>
      """
  }

  private static func text(_ number: Double) -> String { String(format: "%.1f", number) }

  /// Round numbers that divide the range into about five parts.
  static func ticks(_ low: Double, _ high: Double) -> [Double] {
    guard high > low else { return [low] }
    let rough = (high - low) / 5
    let power = pow(10, floor(log10(rough)))
    let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough }!
    let first = (low / step).rounded(.down)
    let last = (high / step).rounded(.up)
    return (Int(first)...Int(last)).map { Double($0) * step }
  }
}

extension String {
  /// With nothing in it that HTML could take for its own.
  var escapedForHTML: String {
    replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}
