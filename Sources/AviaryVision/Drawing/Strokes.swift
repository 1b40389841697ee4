import AviaryTensors
import Foundation

/// A point of a drawing, x to the right and y down, in 0…1.
struct Point: Sendable {
  var x: Float
  var y: Float
}

/// Lines drawn with a round pen.
struct Strokes: Sendable {
  /// Each one a line through its points.
  var lines: [[Point]]

  /// A circle's arc between two angles in turns, clockwise from the right.
  static func arc(_ x: Float, _ y: Float, _ rx: Float, _ ry: Float, from start: Float, to end: Float)
    -> [Point]
  {
    (0...24).map { step in
      let angle = 2 * Float.pi * (start + (end - start) * Float(step) / 24)
      return Point(x: x + rx * cosf(angle), y: y + ry * sinf(angle))
    }
  }

  /// Turned (in turns), sheared, scaled and moved, around the middle.
  func transformed(turn: Float, shear: Float, scale: Float, dx: Float, dy: Float) -> Strokes {
    let (sine, cosine) = (sinf(2 * .pi * turn), cosf(2 * .pi * turn))
    return Strokes(
      lines: lines.map { line in
        line.map { point in
          let (x, y) = (point.x - 0.5 - shear * (point.y - 0.5), point.y - 0.5)
          return Point(
            x: 0.5 + dx + scale * (cosine * x - sine * y), y: 0.5 + dy + scale * (sine * x + cosine * y))
        }
      })
  }

  /// White on black with soft edges: full inside the pen's radius, fading over one pixel.
  func drawn(side: Int, pen: Float) -> Image {
    var pixels = [UInt8](repeating: 0, count: side * side)
    let size = Float(side)
    for y in 0..<side {
      for x in 0..<side {
        let point = Point(x: (Float(x) + 0.5) / size, y: (Float(y) + 0.5) / size)
        let distance = lines.reduce(Float.infinity) { min($0, Strokes.distance(point, $1)) }
        let ink = min(max((pen - distance) * size + 0.5, 0), 1)
        pixels[y * side + x] = UInt8(ink * 255)
      }
    }
    return Image(width: side, height: side, model: .grey, pixels: pixels)
  }

  private static func distance(_ point: Point, _ line: [Point]) -> Float {
    zip(line, line.dropFirst()).reduce(Float.infinity) { nearest, segment in
      let (a, b) = segment
      let (dx, dy) = (b.x - a.x, b.y - a.y)
      let length = dx * dx + dy * dy
      let along = length == 0 ? 0 : min(max(((point.x - a.x) * dx + (point.y - a.y) * dy) / length, 0), 1)
      let (ex, ey) = (a.x + along * dx - point.x, a.y + along * dy - point.y)
      return min(nearest, (ex * ex + ey * ey).squareRoot())
    }
  }
}
