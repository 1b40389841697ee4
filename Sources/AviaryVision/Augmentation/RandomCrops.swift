import AviaryTensors
import Foundation

/// A rectangle of a fixed size at a random place.
public struct RandomCrop: Sendable, Hashable, Codable {
  /// Of the rectangle, in pixels.
  public var width: Int
  /// Of the rectangle, in pixels.
  public var height: Int
  /// Of the black border put around the picture first, in pixels. A picture that is still too small gets as much as it needs.
  public var padding: Int

  /// Crops of a size, after a border of `padding` pixels.
  public init(width: Int, height: Int, padding: Int = 0) {
    require(width > 0 && height > 0 && padding >= 0, "crops of \(width)×\(height), borders of \(padding)")
    self.width = width
    self.height = height
    self.padding = padding
  }

  func callAsFunction(_ picture: AnnotatedPicture, using generator: RandomGenerator) -> AnnotatedPicture {
    func start(_ length: Int, _ wanted: Int) -> Int {
      let free = length + 2 * padding - wanted
      return free < 0 ? -(wanted - length) / 2 : generator.integer(in: 0..<free + 1) - padding
    }
    let (x, y) = (start(picture.image.width, width), start(picture.image.height, height))
    return picture.cropped(x: x, y: y, width: width, height: height)
  }
}

/// A rectangle of random size and proportions, resized: torchvision's `RandomResizedCrop` with its numbers.
public struct RandomResizedCrop: Sendable, Hashable, Codable {
  /// After the resize, in pixels.
  public var width: Int
  /// After the resize, in pixels.
  public var height: Int
  /// The rectangle's share of the picture's area, evenly drawn.
  public var scale: ClosedRange<Float> = 0.08...1
  /// Its width by its height, drawn evenly on a logarithmic scale.
  public var ratio: ClosedRange<Float> = 3 / 4...4 / 3
  /// Of the resize.
  public var interpolation = Interpolation.bilinear

  /// Crops that become `width`×`height` pixels.
  public init(width: Int, height: Int) {
    require(width > 0 && height > 0, "crops cannot become \(width)×\(height) pixels")
    self.width = width
    self.height = height
  }

  func callAsFunction(_ picture: AnnotatedPicture, using generator: RandomGenerator) -> AnnotatedPicture {
    let place = place(width: picture.image.width, height: picture.image.height, using: generator)
    return picture.cropped(x: place.x, y: place.y, width: place.width, height: place.height)
      .resized(width: width, height: height, interpolation)
  }

  /// Where to cut in a picture of `width`×`height` pixels: ten tries, else the largest middle of allowed proportions.
  func place(
    width: Int, height: Int, using generator: RandomGenerator
  ) -> (x: Int, y: Int, width: Int, height: Int) {
    for _ in 0..<10 {
      let area = Float(width * height) * drawn(scale, generator)
      let proportion = expf(drawn(log(ratio.lowerBound)...log(ratio.upperBound), generator))
      let w = Int((area * proportion).squareRoot().rounded(.toNearestOrEven))
      let h = Int((area / proportion).squareRoot().rounded(.toNearestOrEven))
      if w > 0, w <= width, h > 0, h <= height {
        let y = generator.integer(in: 0..<height - h + 1)
        return (generator.integer(in: 0..<width - w + 1), y, w, h)
      }
    }
    let proportion = Float(width) / Float(height)
    var (w, h) = (width, height)
    if proportion < ratio.lowerBound {
      h = max(Int((Float(w) / ratio.lowerBound).rounded(.toNearestOrEven)), 1)
    } else if proportion > ratio.upperBound {
      w = max(Int((Float(h) * ratio.upperBound).rounded(.toNearestOrEven)), 1)
    }
    return ((width - w) / 2, (height - h) / 2, w, h)
  }
}

/// A number from a range whose ends may be the same.
func drawn(_ range: ClosedRange<Float>, _ generator: RandomGenerator) -> Float {
  range.lowerBound == range.upperBound
    ? range.lowerBound : generator.uniform(in: range.lowerBound..<range.upperBound)
}
