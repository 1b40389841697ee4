import AviaryTensors

/// Which boxes stay when those that overlap a better one of the same label go (non-maximum suppression), best first.
///
/// From the highest score down (of equals the one given first), a box stays unless its intersection over union with one that stayed
/// is above `threshold`: torchvision's `batched_nms` without the rounding of its shifted coordinates. Without `labels` all boxes are of
/// one class. A score of NaN counts as the lowest.
public func nonMaximumSuppression(
  _ boxes: [Box], scores: [Float], labels: [Int]? = nil, threshold: Double
) -> [Int] {
  require(
    scores.count == boxes.count && (labels?.count ?? boxes.count) == boxes.count,
    "\(scores.count) scores and \(labels?.count ?? boxes.count) labels were given for \(boxes.count) boxes")
  var kept: [Int: [Box]] = [:]
  return descendingOrder(of: scores).filter { index in
    let box = boxes[index]
    return { (rivals: inout [Box]) in
      let stays = rivals.allSatisfy { Double($0.iou(box)) <= threshold }
      if stays { rivals.append(box) }
      return stays
    }(&kept[labels?[index] ?? 0, default: []])
  }
}

extension [Detection] {
  /// The detections that stay when those that overlap a better one of the same label go, best first: ``nonMaximumSuppression(_:scores:labels:threshold:)``.
  public func suppressed(threshold: Double) -> [Detection] {
    nonMaximumSuppression(
      map(\.box), scores: map(\.score), labels: map(\.labelIndex), threshold: threshold
    ).map { self[$0] }
  }
}

/// Positions of `scores` from the highest to the lowest, of equals the first one first; NaN comes last, beside -∞.
package func descendingOrder(of scores: [Float]) -> [Int] {
  let keys = scores.map { $0.isNaN ? -.infinity : $0 }
  return keys.indices.sorted { (keys[$1], $0) < (keys[$0], $1) }
}
