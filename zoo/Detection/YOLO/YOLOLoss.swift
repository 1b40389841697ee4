import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryWeights

/// What a YOLO with the head of v8 learns from: classes at all places, boxes and their distributions at those that shall find an object
/// (ultralytics' `v8DetectionLoss`).
public struct YOLOLoss: Sendable, Hashable, Codable {
  /// What 1 − the complete overlap counts.
  public var box: Float = 7.5
  /// What the cross-entropy of the classes counts.
  public var classes: Float = 0.5
  /// What the cross-entropy of the distributions counts.
  public var distribution: Float = 1.5

  /// The weights of ultralytics.
  public init() {}

  /// The three parts of the loss of a batch, each one element, divided by the sum of the scores that the network shall give.
  ///
  /// - Parameters:
  ///   - maps: N×64×H×W and N×classes×H×W for each stride, as ``DistanceHead`` makes them.
  ///   - instances: the objects of each picture, in pixels; there may be none.
  func callAsFunction(
    _ maps: [Tensor], _ head: DistanceHead, instances: [[Instance]]
  ) -> (box: Tensor, classes: Tensor, distribution: Tensor) {
    let (distances, logits) = head.parts(maps)
    let grid = head.grid(maps)
    let (batch, classCount, places) = (logits.shape[0], logits.shape[1], logits.shape[2])
    let matches = assigned(distances, logits, head, grid, instances)

    var targets = [Float](repeating: 0, count: batch * classCount * places)
    for (picture, matches) in matches.enumerated() {
      for match in matches {
        let label = instances[picture][match.object].labelIndex
        targets[(picture * classCount + label) * places + match.place] = match.score
      }
    }
    let sum = max(targets.reduce(0, +), 1)
    let classLoss =
      sigmoidCrossEntropy(logits, targets: Tensor(targets, shape: logits.shape), reduction: .sum) * (1 / sum)
    let positives = matches.enumerated().flatMap { picture, matches in matches.map { (picture, $0) } }
    guard !positives.isEmpty else { return (Tensor(Float(0)), classLoss, Tensor(Float(0))) }

    // Of each match: the logits of its place, 4×16, and its object's box in places of its map.
    let rows = distances.transposed().reshaped([batch * places, 4 * DistanceHead.bins])
      .taking(positives.map { $0.0 * places + $0.1.place }, axis: 0)
      .reshaped([positives.count, 4, DistanceHead.bins])
    let (centres, strides) = (grid.centres.values(), grid.strides.values())
    var wanted: [Float] = []
    for (picture, match) in positives {
      let (box, stride) = (instances[picture][match.object].box, strides[match.place])
      let (x, y) = (centres[match.place], centres[places + match.place])
      wanted += [x - box.x1 / stride, y - box.y1 / stride, box.x2 / stride - x, box.y2 / stride - y]
    }
    let weights = Tensor(positives.map(\.1.score)) * (1 / sum)
    let overlaps = completeOverlaps(
      (rows.softmax() * head.dfl.conv.weight.value.reshaped([1, 1, DistanceHead.bins])).sum([2]),
      Tensor(wanted, shape: [positives.count, 4]))
    return (
      ((1 - overlaps) * weights).sum(), classLoss, distributionLoss(rows, wanted, weights)
    )
  }

  /// The matches of each picture, found from what the network says of it now.
  private func assigned(
    _ distances: Tensor, _ logits: Tensor, _ head: DistanceHead,
    _ grid: (centres: Tensor, strides: Tensor), _ instances: [[Instance]]
  ) -> [[YOLOAssignment.Match]] {
    let corners = head.corners(distances.detached, grid).transposed().values()
    let scores = logits.detached.sigmoid().transposed().values()
    let (places, classes) = (logits.shape[2], logits.shape[1])
    let centres = (grid.centres * grid.strides).transposed().values()
    return instances.enumerated().map { picture, objects in
      let boxes = (picture * places..<(picture + 1) * places).map { place in
        Box(
          x1: corners[4 * place], y1: corners[4 * place + 1], x2: corners[4 * place + 2],
          y2: corners[4 * place + 3])
      }
      return YOLOAssignment.matches(
        boxes: boxes, scores: Array(scores[picture * places * classes..<(picture + 1) * places * classes]),
        classes: classes, centres: centres, objects: objects)
    }
  }

  /// The cross-entropy of the distributions M×4×16 with the two whole distances around each wanted one, which share it (Li et al. 2020,
  /// arXiv:2006.04388, equation 6); the mean of the four sides.
  private func distributionLoss(_ logits: Tensor, _ wanted: [Float], _ weights: Tensor) -> Tensor {
    let bins = DistanceHead.bins
    var targets = [Float](repeating: 0, count: logits.count)
    for (row, distance) in wanted.enumerated() {
      let distance = min(max(distance, 0), Float(bins - 1) - 0.01)
      let low = Int(distance)
      targets[row * bins + low] = Float(low + 1) - distance
      targets[row * bins + low + 1] = distance - Float(low)
    }
    let losses = -(logits.logSoftmax() * Tensor(targets, shape: logits.shape)).sum([2]).mean([1])
    return (losses * weights).sum()
  }
}

extension YOLO: TrainableDetector {
  public var firstLabel: Int { 0 }

  /// Each picture in the whole square, as large as it fits.
  public func data(
    _ pictures: any AnnotatedPictures, augmentation: Augmentation?,
    preprocessing: PortableMetadata.Preprocessing, settings: Settings
  ) throws -> AugmentedPictures<DetectionBatch> {
    _ = try processor(preprocessing, settings)
    let letterbox = Letterbox(side: preprocessing.height ?? 0, isTight: false)
    var data = AugmentedPictures<DetectionBatch>(
      pictures, augmentation: augmentation, preprocessing: try Preprocessing(preprocessing, file: nil))
    data.framing = { letterbox.framed($0) }
    return data
  }

  /// `box_loss`, `class_loss` and `distribution_loss` of ultralytics, with anchors `object_loss` in the place of the last.
  ///
  /// - Throws: `TrainingError` for a label that is no class.
  public func losses(_ batch: DetectionBatch, choosing choose: (Int) -> [Int]) throws -> NamedTensors {
    // Of many at once nobody knows where each is.
    let instances = batch.instances.map { $0.filter { !$0.isCrowd } }
    for (objects, example) in zip(instances, batch.examples) {
      if let wrong = objects.first(where: { !(0..<labelCount ~= $0.labelIndex) }) {
        throw TrainingError.label(wrong.labelIndex, example: example, classes: labelCount)
      }
    }
    let maps = maps(batch.inputs)
    if let head = head as? AnchorHead {
      let parts = anchorLoss(maps, head, instances: instances)
      return ["box_loss": parts.box, "class_loss": parts.classes, "object_loss": parts.object]
    }
    guard let head = head as? DistanceHead else { requirementFailure("no loss is known of this head") }
    let parts = loss(maps, head, instances: instances)
    return [
      "box_loss": parts.box, "class_loss": parts.classes, "distribution_loss": parts.distribution,
    ]
  }

  public func weight(ofLoss name: String) -> Float {
    let hasAnchors = configuration.head == .anchors
    return switch name {
    case "box_loss": hasAnchors ? anchorLoss.box : loss.box
    case "class_loss": hasAnchors ? anchorLoss.classes : loss.classes
    case "object_loss": anchorLoss.object
    default: loss.distribution
    }
  }
}
