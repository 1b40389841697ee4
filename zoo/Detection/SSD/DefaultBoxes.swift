import AviaryTensors
import AviaryVision
import Foundation

/// The default boxes of SSD300 (Liu et al. 2016, arXiv:1512.02325, section 2.2), as torchvision has them: scales of its reference for COCO,
/// centres in shares of 300 pixels over the step, sides of at most the picture's.
enum DefaultBoxes {
  private static let scales = [0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05]
  private static let steps = [8.0, 16, 32, 64, 100, 300]
  private static let rows = [38, 19, 10, 5, 3, 1]
  /// Besides squares, and each in both directions.
  private static let ratios: [[Double]] = [[2], [2, 3], [2, 3], [2, 3], [2], [2]]

  /// At a place of each map.
  static let countsPerPlace = ratios.map { 2 + 2 * $0.count }

  /// In pixels of 300×300: map by map, place by place.
  static let all: [Box] = rows.indices.flatMap { map -> [Box] in
    let (scale, next) = (scales[map], scales[map + 1])
    var sides = [(scale, scale), ((scale * next).squareRoot(), (scale * next).squareRoot())]
    for ratio in ratios[map] {
      let root = ratio.squareRoot()
      sides += [(scale * root, scale / root), (scale / root, scale * root)]
    }
    let size = Float(SSD.side)
    let perSide = Float(Double(SSD.side) / steps[map])
    return (0..<rows[map] * rows[map]).flatMap { place -> [Box] in
      let x = (Float(place % rows[map]) + 0.5) / perSide
      let y = (Float(place / rows[map]) + 0.5) / perSide
      return sides.map { side in
        let (halfX, halfY) = (0.5 * min(Float(side.0), 1), 0.5 * min(Float(side.1), 1))
        return Box(
          x1: (x - halfX) * size, y1: (y - halfY) * size, x2: (x + halfX) * size, y2: (y + halfY) * size)
      }
    }
  }
}

/// Of the answers for all default boxes, those that are objects.
///
/// Inputs: probabilities N×8732×labels, the background's first, and differences N×8732×4. Results: boxes in pixels of 300×300, scores and labels.
struct DefaultBoxChoice: BoxSelection {
  /// The score that a detection exceeds.
  let score: Float
  /// Of each label, the best.
  let best: Int
  /// Detections of one label that overlap more than this are one.
  let suppression: Double
  /// Detections of a picture.
  let count: Int
  var onnxName: String { "NonMaxSuppression" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    [BoxCandidates].specs(pictures: inputs[0].shape[0], most: count)
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let (scores, deltas) = (inputs[0].values(), inputs[1].values())
    let (boxes, labels) = (DefaultBoxes.all, inputs[0].shape[2])
    var counts = SelectionCounts("boxes")
    let found = (0..<inputs[0].shape[0]).map { picture -> BoxCandidates in
      var candidates = BoxCandidates()
      for label in 1..<labels {
        let places = boxes.indices.filter { scores[(picture * boxes.count + $0) * labels + label] > score }
        let values = places.map { scores[(picture * boxes.count + $0) * labels + label] }
        counts.add("default boxes times labels", boxes.count)
        counts.add("scores above \(score)", places.count)
        counts.add("best \(best) of each label", min(places.count, best))
        for index in positionsOfHighest(best, of: values) {
          let first = 4 * (picture * boxes.count + places[index])
          let box = DetectionChoice.coder.decoded(
            deltas[first], deltas[first + 1], deltas[first + 2], deltas[first + 3], from: boxes[places[index]]
          ).clipped(width: SSD.side, height: SSD.side)
          candidates.append(box, score: values[index], label: label)
        }
      }
      return candidates.suppressed(above: suppression, most: count, counting: &counts)
    }
    counts.tell()
    return found.tensors(most: count)
  }
}
