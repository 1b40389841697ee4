import AviaryTensors
import AviaryVision

/// Masks of the size of their boxes in the picture (He et al. 2017, arXiv:1703.06870, section 3.1, "Inference"), as torchvision rounds.
enum MaskPasting {
  /// How likely each pixel of a picture is the object's, row by row, from the square mask of side `side` in a row of `shares` that lies
  /// in `box`; 0 outside.
  static func pasted(
    _ shares: [Float], row: Int, side: Int, in box: Box, width: Int, height: Int
  ) -> [Float] {
    // A border of zeros on each side lets the mask end inside.
    let padded = side + 2
    let scale = Float(Double(padded) / Double(side))
    let (centreX, centreY) = ((box.x2 + box.x1) * 0.5, (box.y2 + box.y1) * 0.5)
    let (halfX, halfY) = ((box.x2 - box.x1) * 0.5 * scale, (box.y2 - box.y1) * 0.5 * scale)
    let (left, right) = (Int(centreX - halfX), Int(centreX + halfX))
    let (upper, lower) = (Int(centreY - halfY), Int(centreY + halfY))
    var result = [Float](repeating: 0, count: width * height)
    let columns = Taps(source: padded, target: max(right - left + 1, 1))
    let rows = Taps(source: padded, target: max(lower - upper + 1, 1))
    func value(_ x: Int, _ y: Int) -> Float {
      guard 1...side ~= x, 1...side ~= y else { return 0 }
      return shares[(row * side + y - 1) * side + x - 1]
    }
    for y in max(upper, 0)..<max(min(lower + 1, height), max(upper, 0)) {
      let (low, high, down) = rows[y - upper]
      for x in max(left, 0)..<max(min(right + 1, width), max(left, 0)) {
        let (first, last, across) = columns[x - left]
        result[y * width + x] =
          (1 - down) * ((1 - across) * value(first, low) + across * value(last, low))
          + down * ((1 - across) * value(first, high) + across * value(last, high))
      }
    }
    return result
  }

  /// Linear interpolation between the centres of places along one axis.
  private struct Taps {
    let source: Int
    let scale: Float

    init(source: Int, target: Int) {
      self.source = source
      scale = Float(source) / Float(target)
    }

    subscript(position: Int) -> (low: Int, high: Int, share: Float) {
      let place = max((Float(position) + 0.5) * scale - 0.5, 0)
      let low = min(Int(place), source - 1)
      return (low, min(low + 1, source - 1), min(place - Float(low), 1))
    }
  }
}
