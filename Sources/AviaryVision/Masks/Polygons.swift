import AviaryTensors

extension Mask {
  /// What one or several polygons enclose, each a list x, y, x, y, … in pixels, pixel by pixel as pycocotools' `frPyObjects` and `merge` fill
  /// them. Throws ``MaskError`` for a polygon that is none, or lies further outside of the picture than the picture is large.
  public init(polygons: [[Double]], width: Int, height: Int) throws(MaskError) {
    require(width > 0 && height > 0, "a mask of \(width)×\(height) pixels has none")
    guard !polygons.isEmpty else { throw MaskError("no polygon") }
    var mask: Mask?
    for polygon in polygons {
      let filled = try Mask(polygon: polygon, width: width, height: height)
      mask = mask?.union(filled) ?? filled
    }
    self = mask!
  }

  private init(polygon: [Double], width: Int, height: Int) throws(MaskError) {
    guard polygon.count >= 6, polygon.count % 2 == 0 else {
      throw MaskError("\(polygon.count) coordinates are no polygon of at least three points")
    }
    for (place, coordinate) in polygon.enumerated() {
      let length = Double(place % 2 == 0 ? width : height)
      guard coordinate >= -length, coordinate <= 2 * length else {
        throw MaskError("the coordinate \(coordinate) is far outside of \(width)×\(height) pixels")
      }
    }
    let outline = try Outline(polygon)
    // Where columns begin and end to be inside, as places column by column; every second one ends it.
    var borders: [Int] = []
    outline.forEachStep { previous, next in
      guard next.x != previous.x else { return }
      let column = Outline.pixel(next.x < previous.x ? next.x : next.x - 1)
      guard column == column.rounded(.down), column >= 0, column <= Double(width - 1) else { return }
      let row = min(max(Outline.pixel(min(next.y, previous.y)), 0), Double(height)).rounded(.up)
      borders.append(Int(column) * height + Int(row))
    }
    borders.sort()
    var pixels = [Bool](repeating: false, count: width * height)
    for index in stride(from: 0, to: borders.count, by: 2) {
      let end = index + 1 < borders.count ? borders[index + 1] : pixels.count
      for place in borders[index]..<end { pixels[place % height * width + place / height] = true }
    }
    self.init(width: width, height: height, pixels: pixels)
  }
}

/// A polygon's outline, five points to a pixel.
private struct Outline {
  typealias Point = (x: Int, y: Int)

  private static let scale = 5.0
  /// Points that an outline may have: more than any picture's, few enough to wait for.
  private static let mostPoints = 1 << 25

  private let corners: [Point]

  init(_ polygon: [Double]) throws(MaskError) {
    // Truncated, not rounded down, as C does it.
    func scaled(_ coordinate: Double) -> Int { Int(Self.scale * coordinate + 0.5) }
    var corners = stride(from: 0, to: polygon.count, by: 2).map { place -> Point in
      (scaled(polygon[place]), scaled(polygon[place + 1]))
    }
    corners.append(corners[0])
    let length = zip(corners, corners.dropFirst()).reduce(0) {
      $0 + max(abs($1.0.x - $1.1.x), abs($1.0.y - $1.1.y)) + 1
    }
    guard length <= Self.mostPoints else {
      throw MaskError("a polygon of \(polygon.count / 2) points with an outline of \(length / 5) pixels")
    }
    self.corners = corners
  }

  /// A place on the fine grid in pixels.
  static func pixel(_ place: Int) -> Double { (Double(place) + 0.5) / scale - 0.5 }

  /// Calls `body` with each point and the one after it.
  func forEachStep(_ body: (_ previous: Point, _ next: Point) -> Void) {
    var previous: Point?
    for (from, to) in zip(corners, corners.dropFirst()) {
      let (dx, dy) = (abs(to.x - from.x), abs(to.y - from.y))
      let isFlat = dx >= dy
      // Lines are drawn from left to right or from above down, whichever way they go, so that neighbours share their points.
      let isTurned = isFlat ? from.x > to.x : from.y > to.y
      let (start, end) = isTurned ? (to, from) : (from, to)
      let length = max(dx, dy)
      let slope = length == 0 ? 0 : Double(isFlat ? end.y - start.y : end.x - start.x) / Double(length)
      for step in 0...length {
        let along = isTurned ? length - step : step
        let point: Point =
          isFlat
          ? (along + start.x, Int(Double(start.y) + slope * Double(along) + 0.5))
          : (Int(Double(start.x) + slope * Double(along) + 0.5), along + start.y)
        if let previous { body(previous, point) }
        previous = point
      }
    }
  }
}
