import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision

// What RetinaNet learns from, with the numbers of torchvision (Lin et al. 2017, arXiv:1708.02002, sections 3 and 4).

extension RetinaNet: TrainableDetector {
  private static let matcher = BoxMatcher(least: 0.5, most: 0.4, keepsBest: true)

  /// `classification`, the focal loss, and `bbox_regression`; each picture's over the number of its anchors that are objects'.
  public func losses(_ batch: DetectionBatch, choosing choose: (Int) -> [Int]) throws -> NamedTensors {
    let picture = configuration.scaling(batch.inputs)
    let truth = try ScaledTruth(batch, picture, labels: firstLabel..<configuration.labels, needsMasks: false)
    let answers = self.answers(picture)
    let labels = configuration.labels
    let logits = concatenate(answers.map { $0.logits.placeByPlace(each: labels) }, axis: 1)
    let deltas = concatenate(answers.map { $0.deltas.placeByPlace(each: 4) }, axis: 1)
    let anchors = Self.anchors.boxes(answers.map(\.logits.shape), picture: picture.tensor.shape)
      .flatMap(\.self)
    var (classification, regression) = (Tensor(Float(0)), Tensor(Float(0)))
    for (index, boxes) in truth.boxes.enumerated() {
      let matches = Self.matcher(anchors, truth: boxes)
      let counted = matches.indices.filter { matches[$0] != .ignored }
      let objects = matches.indices.filter { matches[$0].object != nil }
      var targets = [Float](repeating: 0, count: counted.count * labels)
      for (row, anchor) in counted.enumerated() {
        if let object = matches[anchor].object { targets[row * labels + truth.labels[index][object]] = 1 }
      }
      let share = 1 / Float(max(objects.count, 1))
      let focal = sigmoidFocalLoss(
        logits.selected(0, index).taking(counted, axis: 0),
        targets: Tensor(targets, shape: [counted.count, labels]), reduction: .sum)
      classification = classification + focal * share
      if objects.isEmpty { continue }
      let own = deltas.selected(0, index).taking(objects, axis: 0)
      let wanted = objects.map { boxes[matches[$0].object!] }
      regression = regression + boxLoss(own, from: objects.map { anchors[$0] }, wanted) * share
    }
    let pictures = Float(max(truth.boxes.count, 1))
    return ["classification": classification / pictures, "bbox_regression": regression / pictures]
  }

  /// Of differences R×4 from anchors: the absolute error, in the second version what is missing of the generalised overlap.
  private func boxLoss(_ deltas: Tensor, from anchors: [Box], _ wanted: [Box]) -> Tensor {
    if configuration.isSecond {
      return (1 - generalizedOverlaps(BoxCoder().decoded(deltas, from: anchors), Tensor(edges: wanted))).sum()
    }
    let targets = zip(wanted, anchors).flatMap { BoxCoder().encoded($0, from: $1) }
    return meanAbsoluteError(deltas, Tensor(targets, shape: deltas.shape), reduction: .sum)
  }
}
