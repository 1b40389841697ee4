import AviaryTensors
import Foundation

/// The form of an object that the library draws.
public enum SceneShape: String, Sendable, Hashable, Codable, CaseIterable {
  /// A disc.
  case circle
  /// Four equal sides.
  case square
  /// Three equal sides.
  case triangle
  /// Two crossed bars.
  case cross
  /// Five points.
  case star
  /// A disc with a hole, through which what lies behind shows.
  case ring

  /// Whether a point belongs to the form, which lies within a circle of radius 1 around the origin, y down.
  func contains(_ x: Float, _ y: Float) -> Bool {
    let square = x * x + y * y
    switch self {
    case .circle: return square <= 1
    case .square: return abs(x) <= 0.7 && abs(y) <= 0.7
    case .triangle: return y <= 0.5 && y >= 1.732 * abs(x) - 1
    case .cross: return square <= 1 && (abs(x) <= 0.3 || abs(y) <= 0.3)
    case .ring: return square <= 1 && square >= 0.3
    case .star:
      guard square <= 1 else { return false }
      // Folded to half a point: from its tip at angle 0 to the notch between two points at a tenth of a turn.
      let point = 2 * Float.pi / 5
      var angle = atan2f(x, -y)
      angle = abs(angle - (angle / point).rounded() * point)
      let (u, v) = (square.squareRoot() * cosf(angle), square.squareRoot() * sinf(angle))
      let (notchU, notchV): (Float, Float) = (0.45 * 0.809_017, 0.45 * 0.587_785)
      return (notchU - 1) * v - notchV * (u - 1) >= 0
    }
  }
}

/// The colour of an object that the library draws.
public enum SceneColour: String, Sendable, Hashable, Codable, CaseIterable {
  /// (220, 40, 40).
  case red
  /// (50, 190, 60).
  case green
  /// (50, 90, 235).
  case blue
  /// (240, 220, 50).
  case yellow
  /// (165, 60, 200).
  case purple
  /// (245, 140, 30).
  case orange
  /// (60, 210, 220).
  case cyan
  /// (240, 240, 240).
  case white

  /// What it looks like before brightness varies.
  public var colour: Colour {
    switch self {
    case .red: Colour(red: 220, green: 40, blue: 40)
    case .green: Colour(red: 50, green: 190, blue: 60)
    case .blue: Colour(red: 50, green: 90, blue: 235)
    case .yellow: Colour(red: 240, green: 220, blue: 50)
    case .purple: Colour(red: 165, green: 60, blue: 200)
    case .orange: Colour(red: 245, green: 140, blue: 30)
    case .cyan: Colour(red: 60, green: 210, blue: 220)
    case .white: Colour(red: 240, green: 240, blue: 240)
    }
  }
}

/// The surface of an object that the library draws.
public enum SceneTexture: String, Sendable, Hashable, Codable, CaseIterable {
  /// One colour.
  case plain
  /// Bright and dark stripes.
  case striped
  /// Dark dots.
  case dotted
  /// Bright and dark squares.
  case checked
  /// Each pixel as bright as it likes.
  case noisy

  /// How bright a place of the form is; `noise` is a number of 0..<1 of that pixel alone.
  func brightness(_ x: Float, _ y: Float, noise: Float) -> Float {
    func isOdd(_ place: Float) -> Bool { Int((place * 2.5).rounded(.down)) & 1 != 0 }
    switch self {
    case .plain: return 1
    case .striped: return isOdd(x) ? 0.55 : 1
    case .checked: return isOdd(x) != isOdd(y) ? 0.55 : 1
    case .dotted:
      let (dx, dy) = (x * 2.5 - (x * 2.5).rounded(), y * 2.5 - (y * 2.5).rounded())
      return dx * dx + dy * dy < 0.09 ? 0.5 : 1
    case .noisy: return 0.55 + 0.45 * noise
    }
  }
}

/// An object that the library draws: what it is and where.
public struct SceneObject: Sendable, Hashable {
  /// Its form.
  public let shape: SceneShape
  /// Its colour.
  public let colour: SceneColour
  /// Its surface.
  public let texture: SceneTexture
  /// The column of its middle, in pixels; whole numbers are edges.
  public let x: Float
  /// The row of its middle, in pixels.
  public let y: Float
  /// Of the circle that it lies in, in pixels.
  public let radius: Float
  /// Clockwise, in turns.
  public let turn: Float
  /// What its colour is multiplied by.
  public let brightness: Float

  /// `red striped circle`; a plain surface is not named.
  public var words: String {
    [colour.rawValue, texture == .plain ? nil : texture.rawValue, shape.rawValue].compactMap(\.self)
      .joined(separator: " ")
  }
}
