import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision

// What SSD learns from, with the numbers of torchvision (Liu et al. 2016, arXiv:1512.02325, section 2.2).

extension SSD: TrainableDetector {
  /// The overlap from which on a default box is an object's.
  private static let matcher = BoxMatcher(least: 0.5, most: 0.5, keepsBest: false)
  /// Default boxes of the background that are learned from for each that is an object's: those that are wrong most.
  private static let negatives = 3

  /// `bbox_regression`, smooth L1 of the objects' default boxes, and `classification`, the cross-entropy of those and of the hardest of the
  /// background's, both over the number of the batch's objects' boxes.
  public func losses(_ batch: DetectionBatch, choosing choose: (Int) -> [Int]) throws -> NamedTensors {
    let picture = Self.scaling(batch.inputs)
    let truth = try ScaledTruth(batch, picture, labels: firstLabel..<configuration.labels, needsMasks: false)
    let (logits, deltas) = answers(picture)
    let anchors = DefaultBoxes.all
    let labels = configuration.labels
    var classes = [Int64](repeating: 0, count: truth.boxes.count * anchors.count)
    var (rows, targets): ([Int], [Float]) = ([], [])
    for (index, boxes) in truth.boxes.enumerated() {
      for (anchor, object) in Self.matches(anchors, truth: boxes).enumerated() {
        guard let object else { continue }
        rows.append(index * anchors.count + anchor)
        classes[rows[rows.count - 1]] = Int64(truth.labels[index][object])
        targets += DetectionChoice.coder.encoded(boxes[object], from: anchors[anchor])
      }
    }
    // The background counts beside objects only.
    guard !rows.isEmpty else {
      return ["bbox_regression": Tensor(Float(0)), "classification": Tensor(Float(0))]
    }
    let each = softmaxCrossEntropy(
      logits.reshaped([-1, labels]), labels: Tensor(classes), reduction: .none)
    let taken = rows + Self.hardest(each.detached.values(), classes, pictures: truth.boxes.count)
    let share = 1 / Float(rows.count)
    let own = deltas.reshaped([-1, 4]).taking(rows, axis: 0)
    return [
      "bbox_regression": smoothL1(own, Tensor(targets, shape: own.shape), reduction: .sum) * share,
      "classification": each.taking(taken, axis: 0).sum() * share,
    ]
  }

  /// For each default box the object whose it is: that which it overlaps most, if that is enough; and each object has the one that overlaps
  /// it most.
  static func matches(_ anchors: [Box], truth: [Box]) -> [Int?] {
    var result = matcher(anchors, truth: truth).map(\.object)
    for (object, box) in truth.enumerated() {
      let overlaps = anchors.map { box.iou($0) }
      let best = overlaps.max() ?? 0
      if let anchor = overlaps.firstIndex(of: best) { result[anchor] = object }
    }
    return result
  }

  /// Of each picture the rows of the background with the highest losses, ``negatives`` for each row of an object.
  private static func hardest(_ losses: [Float], _ classes: [Int64], pictures: Int) -> [Int] {
    let count = classes.count / max(pictures, 1)
    return (0..<pictures).flatMap { picture -> [Int] in
      let range = picture * count..<(picture + 1) * count
      let background = range.filter { classes[$0] == 0 }
      let wanted = negatives * (count - background.count)
      return positionsOfHighest(wanted, of: background.map { losses[$0] }).map { background[$0] }.sorted()
    }
  }
}
