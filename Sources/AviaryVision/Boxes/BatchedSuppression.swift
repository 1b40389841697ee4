import AviaryTensors

/// Which boxes stay when those that overlap a better one of the same label go, best first, to the last bit as torchvision's `batched_nms` on a
/// CPU.
///
/// Up to 1000 boxes it moves those of each label away from the others', by a multiple of the largest coordinate, which rounds them; of more it
/// compares them as they are. Comparing takes the intersection over union in float32 with `threshold` in double precision; of equal scores
/// the box given first comes first. A score of NaN counts as the lowest.
public func batchedSuppression(_ boxes: [Box], scores: [Float], labels: [Int], threshold: Double) -> [Int] {
  require(
    scores.count == boxes.count && labels.count == boxes.count,
    "\(scores.count) scores and \(labels.count) labels were given for \(boxes.count) boxes")
  guard let largest = boxes.lazy.map({ max(max($0.x1, $0.y1), max($0.x2, $0.y2)) }).max() else { return [] }
  let moved =
    boxes.count > 1000
    ? boxes
    : zip(boxes, labels).map { box, label in
      let offset = Float(label) * (largest + 1)
      return Box(x1: box.x1 + offset, y1: box.y1 + offset, x2: box.x2 + offset, y2: box.y2 + offset)
    }
  return nonMaximumSuppression(moved, scores: scores, labels: labels, threshold: threshold)
}
