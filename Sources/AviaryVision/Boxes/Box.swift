/// A rectangle in a picture, in pixels: x to the right, y down, from the edge (`x1`, `y1`) to the edge (`x2`, `y2`).
///
/// Edges lie between pixels: the box (0, 0, 1, 1) is the first pixel.
public struct Box: Sendable, Hashable, Codable {
  /// The left edge.
  public var x1: Float
  /// The upper edge.
  public var y1: Float
  /// The right edge.
  public var x2: Float
  /// The lower edge.
  public var y2: Float

  /// The box between four edges.
  public init(x1: Float, y1: Float, x2: Float, y2: Float) {
    self.x1 = x1
    self.y1 = y1
    self.x2 = x2
    self.y2 = y2
  }

  /// The box of a size around its centre, as DETR's and YOLO's heads give it.
  public init(centreX: Float, centreY: Float, width: Float, height: Float) {
    self.init(
      x1: centreX - 0.5 * width, y1: centreY - 0.5 * height, x2: centreX + 0.5 * width,
      y2: centreY + 0.5 * height)
  }

  /// A box as COCO's files have it, `[x, y, width, height]` from the upper left corner; nil unless there are four numbers.
  public init?(coco: [Float]) {
    guard coco.count == 4 else { return nil }
    self.init(x1: coco[0], y1: coco[1], x2: coco[0] + coco[2], y2: coco[1] + coco[3])
  }

  /// The box as COCO's files have it: `[x, y, width, height]` from the upper left corner.
  public var coco: [Float] { [x1, y1, width, height] }

  /// From the left edge to the right one; negative when they are the other way round.
  public var width: Float { x2 - x1 }
  /// From the upper edge to the lower one; negative when they are the other way round.
  public var height: Float { y2 - y1 }
  /// In square pixels; 0 for a box whose edges are the other way round.
  public var area: Float { max(width, 0) * max(height, 0) }

  /// What of the box lies in a picture of `width`×`height` pixels; a box beside the picture becomes empty, at its border.
  public func clipped(width: Int, height: Int) -> Box {
    func clip(_ edge: Float, _ length: Int) -> Float { min(max(edge, 0), Float(length)) }
    return Box(x1: clip(x1, width), y1: clip(y1, height), x2: clip(x2, width), y2: clip(y2, height))
  }

  /// Intersection over union, in 0...1; 0 when both boxes are empty. In float32, as torchvision computes it.
  public func iou(_ other: Box) -> Float {
    let width = min(x2, other.x2) - max(x1, other.x1)
    let height = min(y2, other.y2) - max(y1, other.y1)
    guard width > 0 && height > 0 else { return 0 }
    let intersection = width * height
    return intersection / (area + other.area - intersection)
  }
}
