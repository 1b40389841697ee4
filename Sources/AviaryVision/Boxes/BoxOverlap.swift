import Foundation

// Measures of how well two boxes agree that say something of boxes apart, too. In float32, as torchvision computes them.

extension Box {
  /// Generalised intersection over union, in −1...1: the share of the smallest box around both that neither fills is taken off (Rezatofighi
  /// et al. 2019, arXiv:1902.09630).
  public func generalizedIoU(_ other: Box) -> Float {
    let hull = hull(other)
    let intersection = intersection(other)
    let union = area + other.area - intersection
    return iou(other) - (hull.area - union) / hull.area
  }

  /// Distance IoU: the squared distance of the centres in shares of the squared diagonal of the smallest box around both is taken off (Zheng
  /// et al. 2020, arXiv:1911.08287, equation 7).
  public func distanceIoU(_ other: Box) -> Float {
    let hull = hull(other)
    let (dx, dy) = ((x1 + x2 - other.x1 - other.x2) / 2, (y1 + y2 - other.y1 - other.y2) / 2)
    return iou(other) - (dx * dx + dy * dy)
      / (hull.width * hull.width + hull.height * hull.height + Self.tiny)
  }

  /// Complete IoU: ``distanceIoU(_:)`` less a measure of how far the ratios of the sides are apart (arXiv:1911.08287, equations 8 to 11).
  public func completeIoU(_ other: Box) -> Float {
    let difference = atan(width / height) - atan(other.width / other.height)
    let apart = 4 / (Float.pi * Float.pi) * difference * difference
    let weight = apart / (1 - iou(other) + apart + Self.tiny)
    return distanceIoU(other) - weight * apart
  }

  private static let tiny: Float = 1e-7

  /// In square pixels; 0 for boxes apart.
  private func intersection(_ other: Box) -> Float {
    max(min(x2, other.x2) - max(x1, other.x1), 0) * max(min(y2, other.y2) - max(y1, other.y1), 0)
  }

  /// The smallest box around both.
  private func hull(_ other: Box) -> Box {
    Box(
      x1: min(x1, other.x1), y1: min(y1, other.y1), x2: max(x2, other.x2), y2: max(y2, other.y2))
  }
}
