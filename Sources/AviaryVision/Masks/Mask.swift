import AviaryTensors

/// The pixels of one object, row by row.
public struct Mask: Sendable, Hashable {
  /// In pixels.
  public let width: Int
  /// In pixels.
  public let height: Int
  /// `height * width` values, true where the object is.
  public let pixels: [Bool]

  /// A mask of values in the order of ``pixels``, of which there must be `height * width`.
  public init(width: Int, height: Int, pixels: [Bool]) {
    require(width > 0 && height > 0, "a mask of \(width)×\(height) pixels has none")
    require(
      pixels.count == width * height, "\(pixels.count) values were given for \(width)×\(height) pixels")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// Whether the object is at column `x` and row `y`.
  public subscript(x: Int, y: Int) -> Bool {
    require(
      (0..<width).contains(x) && (0..<height).contains(y),
      "no pixel at (\(x), \(y)) in a mask of \(width)×\(height)")
    return pixels[y * width + x]
  }

  /// Pixels of the object.
  public var area: Int { pixels.reduce(0) { $0 + ($1 ? 1 : 0) } }

  /// The smallest box around the object; nil where there is none.
  public var box: Box? {
    var (left, right, upper, lower) = (width, -1, height, -1)
    for y in 0..<height {
      for x in 0..<width where pixels[y * width + x] {
        (left, right) = (min(left, x), max(right, x))
        (upper, lower) = (min(upper, y), y)
      }
    }
    guard right >= 0 else { return nil }
    return Box(x1: Float(left), y1: Float(upper), x2: Float(right + 1), y2: Float(lower + 1))
  }

  /// What either of two masks of one size has.
  public func union(_ other: Mask) -> Mask {
    require(
      other.width == width && other.height == height,
      "masks of \(width)×\(height) and \(other.width)×\(other.height) pixels were to be joined")
    return Mask(width: width, height: height, pixels: zip(pixels, other.pixels).map { $0 || $1 })
  }
}
