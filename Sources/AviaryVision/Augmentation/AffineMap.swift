import AviaryTensors
import Foundation

/// A map of the plane, x′ = a·x + b·y + c and y′ = d·x + e·y + f, in pixels with the origin at the upper left edge.
public struct AffineMap: Sendable, Hashable, Codable {
  /// What x counts in x′.
  public var a: Double
  /// What y counts in x′.
  public var b: Double
  /// Added to x′.
  public var c: Double
  /// What x counts in y′.
  public var d: Double
  /// What y counts in y′.
  public var e: Double
  /// Added to y′.
  public var f: Double

  /// A map by its six numbers, in the order of Pillow's `AFFINE`.
  public init(_ a: Double, _ b: Double, _ c: Double, _ d: Double, _ e: Double, _ f: Double) {
    (self.a, self.b, self.c, self.d, self.e, self.f) = (a, b, c, d, e, f)
  }

  /// Where a point goes.
  public func callAsFunction(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
    (a * x + b * y + c, d * x + e * y + f)
  }

  /// How much larger areas become; negative where the map turns the plane over.
  public var determinant: Double { a * e - b * d }

  /// The way back; the map must not be flat.
  public var inverse: AffineMap {
    require(determinant != 0 && determinant.isFinite, "a map that makes the plane a line has no way back")
    let (ia, ib, id, ie) = (e / determinant, -b / determinant, -d / determinant, a / determinant)
    return AffineMap(ia, ib, -(ia * c + ib * f), id, ie, -(id * c + ie * f))
  }

  /// The way back (from new pixels to old ones) of a counter-clockwise turn about a centre, as Pillow's `Image.rotate` computes it.
  public static func rotationInverse(degrees: Double, centre: (x: Double, y: Double)) -> AffineMap {
    // Rounded to 15 digits as there, so that right angles are exact.
    func rounded(_ value: Double) -> Double {
      let scaled = (value * 1e15).rounded(.toNearestOrEven)
      return abs(scaled) < 9e15 ? scaled / 1e15 : value
    }
    // Between 0 and 360 first, as there: it decides about the last bit.
    let rest = degrees.truncatingRemainder(dividingBy: 360)
    let angle = -(rest < 0 ? rest + 360 : rest) * (.pi / 180)
    var map = AffineMap(
      rounded(cos(angle)), rounded(sin(angle)), 0, rounded(-sin(angle)), rounded(cos(angle)), 0)
    let (x, y) = map(-centre.x, -centre.y)
    (map.c, map.f) = (x + centre.x, y + centre.y)
    return map
  }

  /// The way back (from new pixels to old ones) of torchvision's `affine`: turned clockwise, sheared and scaled about a centre, then moved.
  ///
  /// - Parameters:
  ///   - degrees: the turn; `shear` in degrees as well.
  ///   - translation: in pixels.
  public static func inverse(
    degrees: Double = 0, translation: (x: Double, y: Double) = (0, 0), scale: Double = 1,
    shear: (x: Double, y: Double) = (0, 0), centre: (x: Double, y: Double)
  ) -> AffineMap {
    require(scale > 0, "pictures cannot be scaled by \(scale)")
    // The quotient first, as Python's `radians`: the last bit decides about halves of pixels.
    let (turn, sx, sy) = (degrees * (.pi / 180), shear.x * (.pi / 180), shear.y * (.pi / 180))
    let a = cos(turn - sy) / cos(sy)
    let b = -cos(turn - sy) * tan(sx) / cos(sy) - sin(turn)
    let c = sin(turn - sy) / cos(sy)
    let d = -sin(turn - sy) * tan(sx) / cos(sy) + cos(turn)
    var map = AffineMap(d / scale, -b / scale, 0, -c / scale, a / scale, 0)
    map.c += map.a * (-centre.x - translation.x) + map.b * (-centre.y - translation.y) + centre.x
    map.f += map.d * (-centre.x - translation.x) + map.e * (-centre.y - translation.y) + centre.y
    return map
  }
}
