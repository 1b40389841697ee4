import AviaryTensors
import Foundation

/// Some of a list of changes, drawn one after the other, all equally strong (Cubuk et al. 2019, "RandAugment: Practical automated data
/// augmentation with a reduced search space"); list and magnitudes are torchvision's.
public struct RandAugment: Sendable, Hashable, Codable {
  /// A change of the list.
  public enum Change: String, Sendable, Hashable, Codable, CaseIterable {
    /// Nothing.
    case identity
    /// Rows moved sideways, the more the lower they are.
    case shearX
    /// Columns moved downwards, the more the further right they are.
    case shearY
    /// Moved sideways.
    case translateX
    /// Moved up or down.
    case translateY
    /// Turned about the middle.
    case rotate
    /// Brighter or darker.
    case brightness
    /// More or less colourful; torchvision's `Color`.
    case colour
    /// More or less contrast.
    case contrast
    /// Sharper or smoother.
    case sharpness
    /// Fewer bits per value.
    case posterize
    /// Bright values turned around.
    case solarize
    /// Values spread from 0 to 255.
    case autoContrast
    /// All values about as frequent.
    case equalize
  }

  /// Changes of each picture, one after the other.
  public var changes: Int
  /// How strong, in 0..<``bins``.
  public var magnitude: Int
  /// Strengths that there are.
  public var bins: Int
  /// Of changes that move pixels.
  public var interpolation = Interpolation.nearest
  /// The value of pixels that come from outside.
  public var fill: UInt8 = 0

  /// So many changes of a strength, of `bins` strengths.
  public init(changes: Int = 2, magnitude: Int = 9, bins: Int = 31) {
    require(
      changes >= 0 && bins > 1 && (0..<bins).contains(magnitude),
      "\(changes) changes of strength \(magnitude) of \(bins)")
    self.changes = changes
    self.magnitude = magnitude
    self.bins = bins
  }

  func callAsFunction(_ picture: AnnotatedPicture, using generator: RandomGenerator) -> AnnotatedPicture {
    (0..<changes).reduce(picture) { picture, _ in
      let change = Change.allCases[generator.integer(in: 0..<Change.allCases.count)]
      let isNegative = generator.chance(0.5)
      return applied(change, to: picture, isNegative: isNegative)
    }
  }

  /// One change at this strength; `isNegative` turns those around that have a direction.
  public func applied(
    _ change: Change, to picture: AnnotatedPicture, isNegative: Bool = false
  ) -> AnnotatedPicture {
    let (width, height) = (picture.image.width, picture.image.height)
    let share = Float(magnitude) / Float(bins - 1)
    let sign: Float = isNegative ? -1 : 1
    func moved(_ inverse: AffineMap) -> AnnotatedPicture {
      picture.transformed(by: inverse, interpolation, fill: fill)
    }
    func sheared(_ x: Float, _ y: Float) -> AnnotatedPicture {
      func degrees(_ slope: Float) -> Double { atan(Double(slope)) * 180 / .pi }
      return moved(.inverse(shear: (degrees(x), degrees(y)), centre: (0, 0)))
    }
    func translated(_ x: Float, _ y: Float) -> AnnotatedPicture {
      let centre = (Double(width) / 2, Double(height) / 2)
      return moved(
        .inverse(
          translation: (Double(x.rounded(.towardZero)), Double(y.rounded(.towardZero))), centre: centre))
    }
    func toned(_ image: Image) -> AnnotatedPicture {
      var result = picture
      result.image = image
      return result
    }
    let image = picture.image
    switch change {
    case .identity: return picture
    case .shearX: return sheared(sign * 0.3 * share, 0)
    case .shearY: return sheared(0, sign * 0.3 * share)
    case .translateX: return translated(sign * 150 / 331 * Float(width) * share, 0)
    case .translateY: return translated(0, sign * 150 / 331 * Float(height) * share)
    case .rotate:
      return moved(
        .rotationInverse(
          degrees: Double(sign * 30 * share), centre: (Double(width) / 2, Double(height) / 2)))
    case .brightness: return toned(image.brightness(1 + sign * 0.9 * share))
    case .colour: return toned(image.saturation(1 + sign * 0.9 * share))
    case .contrast: return toned(image.contrast(1 + sign * 0.9 * share))
    case .sharpness: return toned(image.sharpness(1 + sign * 0.9 * share))
    case .posterize:
      return toned(
        image.posterized(
          bits: 8 - Int((Float(magnitude) / (Float(bins - 1) / 4)).rounded(.toNearestOrEven))))
    case .solarize: return toned(image.solarized(threshold: 255 - 255 * share))
    case .autoContrast: return toned(image.autocontrasted)
    case .equalize: return toned(image.equalized)
    }
  }
}
