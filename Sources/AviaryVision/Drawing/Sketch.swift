import AviaryTensors

/// Small pictures that the library draws itself, white on black, for trying networks without any data: digits and simple shapes.
package enum Sketch: String, Sendable, CaseIterable {
  /// 0 to 9, as by hand.
  case digits
  /// Circles, crosses, squares and triangles.
  case shapes

  /// One name per class.
  package var classNames: [String] {
    switch self {
    case .digits: (0...9).map(String.init)
    case .shapes: ["circle", "cross", "square", "triangle"]
    }
  }

  /// A picture of a class, `side`×`side`; size, place, slant and pen vary with the generator.
  package func draw(_ label: Int, side: Int = 28, using generator: RandomGenerator = .current) -> Image {
    let draws = Tensor.uniform([6], in: -1..<1, using: generator).values()
    switch self {
    case .digits:
      return Sketch.digit(label)
        .transformed(
          turn: 0.015 * draws[0], shear: 0.15 * draws[1], scale: 0.68 + 0.05 * draws[2], dx: 0.03 * draws[3],
          dy: 0.03 * draws[4]
        )
        .drawn(side: side, pen: 0.045 + 0.01 * draws[5])
    case .shapes:
      return Sketch.shape(label)
        .transformed(
          turn: 0.5 * draws[0], shear: 0.1 * draws[1], scale: 0.7 + 0.2 * draws[2], dx: 0.08 * draws[3],
          dy: 0.08 * draws[4]
        )
        .drawn(side: side, pen: 0.035 + 0.015 * draws[5])
    }
  }

  private static func shape(_ label: Int) -> Strokes {
    switch label {
    case 0: Strokes(lines: [Strokes.arc(0.5, 0.5, 0.4, 0.4, from: 0, to: 1)])
    case 1:
      Strokes(lines: [
        [Point(x: 0.15, y: 0.15), Point(x: 0.85, y: 0.85)],
        [Point(x: 0.85, y: 0.15), Point(x: 0.15, y: 0.85)],
      ])
    case 2: polygon(corners: 4)
    default: polygon(corners: 3)
    }
  }

  private static func polygon(corners: Int) -> Strokes {
    let outline = Strokes.arc(0.5, 0.5, 0.45, 0.45, from: 0, to: 1)
    return Strokes(lines: [stride(from: 0, through: 24, by: 24 / corners).map { outline[$0] }])
  }

  private static func digit(_ digit: Int) -> Strokes {
    func line(_ coordinates: Float...) -> [Point] {
      stride(from: 0, to: coordinates.count, by: 2).map { Point(x: coordinates[$0], y: coordinates[$0 + 1]) }
    }
    let lines: [[Point]] =
      switch digit {
      case 0: [Strokes.arc(0.5, 0.5, 0.27, 0.42, from: 0, to: 1)]
      case 1: [line(0.38, 0.25, 0.54, 0.1, 0.54, 0.92)]
      case 2:
        [Strokes.arc(0.5, 0.32, 0.25, 0.24, from: -0.48, to: 0.1) + line(0.24, 0.9, 0.8, 0.9)]
      case 3:
        [
          Strokes.arc(0.46, 0.29, 0.26, 0.2, from: -0.42, to: 0.25)
            + Strokes.arc(0.46, 0.7, 0.29, 0.21, from: -0.25, to: 0.42)
        ]
      case 4: [line(0.6, 0.92, 0.6, 0.08, 0.2, 0.64, 0.84, 0.64)]
      case 5:
        [
          line(0.76, 0.1, 0.34, 0.1, 0.3, 0.45) + Strokes.arc(0.47, 0.64, 0.28, 0.26, from: -0.35, to: 0.4)
        ]
      case 6:
        [
          line(0.64, 0.08, 0.4, 0.34) + Strokes.arc(0.5, 0.67, 0.25, 0.24, from: -0.5, to: 0.5)
        ]
      case 7: [line(0.22, 0.12, 0.78, 0.12, 0.42, 0.92)]
      case 8:
        [
          Strokes.arc(0.5, 0.29, 0.2, 0.19, from: 0.25, to: 1.25),
          Strokes.arc(0.5, 0.7, 0.25, 0.22, from: -0.25, to: 0.75),
        ]
      default:
        [Strokes.arc(0.48, 0.33, 0.23, 0.23, from: 0, to: 1) + line(0.71, 0.33, 0.62, 0.92)]
      }
    return Strokes(lines: lines)
  }
}
