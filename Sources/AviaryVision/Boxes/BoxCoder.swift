import Foundation

/// Boxes as differences from boxes that are known (Girshick, Donahue, Darrell & Malik 2014, arXiv:1311.2524, appendix C): the shift of the
/// centre in shares of the known box's size, and the logarithm of the ratio of the sizes, each multiplied by a weight.
public struct BoxCoder: Sendable, Hashable {
  /// What shifts of centres are multiplied by: 1 where proposals are made, 10 where they are refined.
  public let centreWeight: Float
  /// What logarithms of sizes are multiplied by: 1, or 5.
  public let sizeWeight: Float

  /// The largest logarithm of a ratio that is believed: 1000 pixels of 16.
  public static let largestLogarithm = Float(log(1000.0 / 16))

  /// Weights of centres and sizes.
  public init(centreWeight: Float = 1, sizeWeight: Float = 1) {
    self.centreWeight = centreWeight
    self.sizeWeight = sizeWeight
  }

  /// The box that four differences from `known` make: dx, dy, dw, dh.
  @inline(__always)
  public func decoded(_ dx: Float, _ dy: Float, _ dw: Float, _ dh: Float, from known: Box) -> Box {
    let (width, height) = (known.width, known.height)
    let (x, y) = (known.x1 + 0.5 * width, known.y1 + 0.5 * height)
    let centreX = dx / centreWeight * width + x
    let centreY = dy / centreWeight * height + y
    let newWidth = exp(min(dw / sizeWeight, Self.largestLogarithm)) * width
    let newHeight = exp(min(dh / sizeWeight, Self.largestLogarithm)) * height
    return Box(
      x1: centreX - 0.5 * newWidth, y1: centreY - 0.5 * newHeight, x2: centreX + 0.5 * newWidth,
      y2: centreY + 0.5 * newHeight)
  }

  /// The differences dx, dy, dw, dh that make `box` of `known`; both must have an area.
  public func encoded(_ box: Box, from known: Box) -> [Float] {
    let (width, height) = (known.width, known.height)
    return [
      centreWeight * ((box.x1 + 0.5 * box.width) - (known.x1 + 0.5 * width)) / width,
      centreWeight * ((box.y1 + 0.5 * box.height) - (known.y1 + 0.5 * height)) / height,
      sizeWeight * log(box.width / width), sizeWeight * log(box.height / height),
    ]
  }
}
