import AviaryTensors
import Foundation

/// Brightness, contrast, saturation and hue changed in random order: torchvision's `ColorJitter`.
public struct ColourJitter: Sendable, Hashable, Codable {
  /// Factors are drawn from 1 − this (not below 0) to 1 + this.
  public var brightness: Float
  /// As ``brightness``.
  public var contrast: Float
  /// As ``brightness``.
  public var saturation: Float
  /// Shifts are drawn from −this to this, in turns; at most 0.5.
  public var hue: Float

  /// Jitter of these strengths; 0 leaves one alone.
  public init(brightness: Float = 0, contrast: Float = 0, saturation: Float = 0, hue: Float = 0) {
    require(
      brightness >= 0 && contrast >= 0 && saturation >= 0 && (0...0.5).contains(hue),
      "strengths \(brightness), \(contrast), \(saturation) and \(hue) of a jitter")
    self.brightness = brightness
    self.contrast = contrast
    self.saturation = saturation
    self.hue = hue
  }

  func callAsFunction(_ picture: AnnotatedPicture, using generator: RandomGenerator) -> AnnotatedPicture {
    func factor(_ strength: Float) -> Float { drawn(max(1 - strength, 0)...1 + strength, generator) }
    // Everything is drawn whatever is used, so that one strength does not change what another one draws.
    let order = Tensor.permutation(4, using: generator)
    let factors = [brightness, contrast, saturation].map(factor)
    let shift = drawn(-hue...hue, generator)
    var result = picture
    for change in order {
      switch change {
      case 0: result.image = result.image.brightness(factors[0])
      case 1: result.image = result.image.contrast(factors[1])
      case 2: result.image = result.image.saturation(factors[2])
      default: if hue > 0 { result.image = result.image.hue(shift) }
      }
    }
    return result
  }
}

/// Turned, moved, scaled and sheared about the middle: torchvision's `RandomAffine`.
public struct RandomAffine: Sendable, Hashable, Codable {
  /// Turns are drawn from −this to this.
  public var degrees: Float
  /// Moved by at most these shares of width and height.
  public var translation: [Float] = [0, 0]
  /// Factors of the size.
  public var scale: ClosedRange<Float> = 1...1
  /// Shears of x and of y are drawn from −these degrees to these.
  public var shear: [Float] = [0, 0]
  /// Nearest or bilinear.
  public var interpolation = Interpolation.nearest
  /// The value of pixels that come from outside.
  public var fill: UInt8 = 0

  /// Turns of up to so many degrees; other changes by the properties.
  public init(degrees: Float) { self.degrees = degrees }

  func callAsFunction(_ picture: AnnotatedPicture, using generator: RandomGenerator) -> AnnotatedPicture {
    require(
      translation.count == 2 && shear.count == 2 && degrees >= 0
        && (translation + shear).allSatisfy { $0 >= 0 },
      "translations \(translation) and shears \(shear) have two numbers each, none below 0")
    let (width, height) = (Float(picture.image.width), Float(picture.image.height))
    func symmetric(_ limit: Float) -> Double { Double(drawn(-limit...limit, generator)) }
    let inverse = AffineMap.inverse(
      degrees: symmetric(degrees),
      translation: (
        symmetric(translation[0] * width).rounded(.toNearestOrEven),
        symmetric(translation[1] * height).rounded(.toNearestOrEven)
      ), scale: Double(drawn(scale, generator)), shear: (symmetric(shear[0]), symmetric(shear[1])),
      centre: (Double(width) / 2, Double(height) / 2))
    return picture.transformed(by: inverse, interpolation, fill: fill)
  }
}

/// A rectangle of random size, proportions and place is blotted out: torchvision's `RandomErasing` with its numbers. What is marked stays.
public struct RandomErasing: Sendable, Hashable, Codable {
  /// How often it happens.
  public var probability: Float = 0.5
  /// The rectangle's share of the picture's area.
  public var scale: ClosedRange<Float> = 0.02...0.33
  /// Its height by its width, drawn evenly on a logarithmic scale.
  public var ratio: ClosedRange<Float> = 0.3...3.3
  /// What all values become.
  public var value: UInt8 = 0

  /// Rectangles as torchvision has them; others by the properties.
  public init() {}

  /// A square of one size in every picture: cutout (DeVries & Taylor 2017), but always whole, never half outside.
  public static func cutout(share: Float) -> RandomErasing {
    var erasing = RandomErasing()
    erasing.probability = 1
    erasing.scale = share...share
    erasing.ratio = 1...1
    return erasing
  }

  func callAsFunction(_ picture: AnnotatedPicture, using generator: RandomGenerator) -> AnnotatedPicture {
    guard generator.chance(probability) else { return picture }
    let (width, height) = (picture.image.width, picture.image.height)
    for _ in 0..<10 {
      let area = Float(width * height) * drawn(scale, generator)
      let proportion = expf(drawn(log(ratio.lowerBound)...log(ratio.upperBound), generator))
      let h = Int((area * proportion).squareRoot().rounded(.toNearestOrEven))
      let w = Int((area / proportion).squareRoot().rounded(.toNearestOrEven))
      guard h < height, w < width else { continue }
      let y = generator.integer(in: 0..<height - h + 1)
      let x = generator.integer(in: 0..<width - w + 1)
      var result = picture
      result.image = picture.image.erased(x: x, y: y, width: w, height: h, value: value)
      return result
    }
    return picture
  }
}
