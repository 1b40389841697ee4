import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision

/// What networks for pixels learn from: a weighted sum of the losses of the field. Cross-entropy alone where nothing is said.
///
/// Where classes are unbalanced, Dice looks at each class by itself, the focal loss at what is wrong, and weights at what is rare.
public struct PixelLoss: Sendable, Hashable, Codable {
  /// What the mean cross-entropy of the pixels counts.
  public var crossEntropy: Float = 1
  /// What the Dice loss counts, over the whole batch: the mean over all classes, or where one channel stands for two classes that of the second.
  public var dice: Float = 0
  /// What the focal loss counts: cross-entropy of which each pixel's part is multiplied by (1 − p)², p being what it gives its class.
  public var focal: Float = 0
  /// What class-balanced cross-entropy counts: the sum over a picture's pixels, each times the share of the picture that is not of its class, and
  /// the mean over the pictures (Xie & Tu 2015, arXiv:1504.06375, equation 2, where there are two classes).
  public var balanced: Float = 0
  /// What pixels of each class count in the cross-entropy; nil for all alike.
  public var classWeights: [Float]?

  /// Cross-entropy alone, until more is set.
  public init(
    crossEntropy: Float = 1, dice: Float = 0, focal: Float = 0, balanced: Float = 0,
    classWeights: [Float]? = nil
  ) {
    self.crossEntropy = crossEntropy
    self.dice = dice
    self.focal = focal
    self.balanced = balanced
    self.classWeights = classWeights
  }

  /// What is left out has its value of ``init(crossEntropy:dice:focal:balanced:classWeights:)``.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    crossEntropy = try container.decodeIfPresent(Float.self, forKey: .crossEntropy) ?? 1
    dice = try container.decodeIfPresent(Float.self, forKey: .dice) ?? 0
    focal = try container.decodeIfPresent(Float.self, forKey: .focal) ?? 0
    balanced = try container.decodeIfPresent(Float.self, forKey: .balanced) ?? 0
    classWeights = try container.decodeIfPresent([Float].self, forKey: .classWeights)
  }

  /// The loss of a batch, one element. Pixels labelled ``LabelMap/ignored`` count nothing.
  ///
  /// - Parameters:
  ///   - logits: N×classes×H×W; one channel stands for two classes, of which it is the second one's.
  ///   - labels: int64 N×H×W.
  public func callAsFunction(_ logits: Tensor, labels: Tensor) -> Tensor {
    let isSingle = logits.shape[1] == 1
    let logits = isSingle ? concatenate([.zeros(logits.shape), logits], axis: 1) : logits
    let ignored = Int(LabelMap.ignored)
    var sum = Tensor(Float(0))
    if crossEntropy > 0 {
      sum =
        softmaxCrossEntropy(
          logits, labels: labels, classWeights: classWeights.map { Tensor($0) }, ignoring: ignored)
        * crossEntropy
    }
    if balanced > 0 { sum = sum + balancedCrossEntropy(logits, labels) * balanced }
    guard dice > 0 || focal > 0 else { return sum }
    let values = labels.values(of: Int64.self)
    let counted = Tensor(values.map { $0 == Int64(ignored) ? 0 : Float(1) }, shape: labels.shape)
      .expandedAxis(at: 1)  // N×1×H×W
    let positions = Tensor(values.map { $0 == Int64(ignored) ? 0 : $0 }, shape: labels.shape)
      .expandedAxis(at: 1)
    if dice > 0 {
      let targets = Tensor.zeros(logits.shape).scatterAdded(1, positions, counted)
      let each = diceLoss(
        logits.softmax(1) * counted, targets: targets, scores: .probabilities, poolsBatch: true,
        reduction: .none)
      sum = sum + (isSingle ? each.selected(0, 1) : each.mean()) * dice
    }
    if focal > 0 {
      let logProbability = logits.logSoftmax(1).gathered(1, positions)
      let wrong = 1 - logProbability.exp()
      sum = sum - (wrong.square() * logProbability * counted).sum() / counted.sum() * focal
    }
    return sum
  }

  /// ``balanced`` of logits N×classes×H×W.
  private func balancedCrossEntropy(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    let (pictures, size) = (labels.shape[0], labels.shape[1] * labels.shape[2])
    let values = labels.values(of: Int64.self)
    var weights = [Float](repeating: 0, count: values.count)
    for picture in 0..<pictures {
      let places = (picture * size..<(picture + 1) * size).filter { values[$0] != Int64(LabelMap.ignored) }
      let counts = places.reduce(into: [:]) { $0[values[$1], default: 0] += 1 }
      for place in places { weights[place] = 1 - Float(counts[values[place]]!) / Float(places.count) }
    }
    let each = softmaxCrossEntropy(
      logits, labels: labels, ignoring: Int(LabelMap.ignored), reduction: .none)
    return (each * Tensor(weights, shape: labels.shape)).sum() / Float(pictures)
  }
}

extension PixelLoss {
  /// The loss of all that a network gives while it learns: of its first output, and of the others that count.
  func callAsFunction(_ outputs: NamedTensors, of network: any Network, labels: Tensor) -> Tensor {
    let others = Self.supervisedOutputs(of: network)
    return outputs.elements.dropFirst().reduce(self(outputs.tensors[0], labels: labels)) { sum, output in
      others[output.name].map { sum + self(output.tensor, labels: labels) * $0 } ?? sum
    }
  }

  /// A learner of a network that maps pictures, its first input, to logits of classes, its first output. Outputs called `aux` learn too, and
  /// those that the network names.
  ///
  /// Its metrics are means over the batches: `pixel_accuracy` and `iou`, the mean over the classes that a batch has; the epoch with the best
  /// `iou` is the best. Evaluations over data have `mean_iou` and `mean_dice` besides, over all of their pixels together.
  public func learner(
    of network: any Network, _ optimizer: any Optimizer
  ) -> ObjectiveLearner<SegmentationBatch> {
    let (input, output) = (network.signature.inputs[0].name, network.signature.outputs[0].name)
    var gathered: SegmentationMetrics?
    let learner = ObjectiveLearner<SegmentationBatch>(network, optimizer) { batch in
      let outputs = network([input: batch.inputs])
      let logits = outputs[output]
      let classCount = max(logits.shape[1], 2)
      try batch.requireLabels(below: classCount)
      let isLearning = logits.isTracked
      let loss =
        isLearning
        ? self(outputs, of: network, labels: batch.labels) : self(logits, labels: batch.labels)
      // Whoever called stops at a loss that is no number, and says where.
      guard loss.item().isFinite else { return ObjectiveValue(loss: loss, count: batch.examples.count) }
      var metrics = SegmentationMetrics(classCount: classCount)
      try metrics.add(logits: logits.detached, of: batch)
      if !isLearning {
        gathered = gathered ?? SegmentationMetrics(classCount: classCount)
        try gathered?.add(logits: logits.detached, of: batch)
      }
      return ObjectiveValue(
        loss: loss, count: batch.examples.count,
        metrics: [
          "pixel_accuracy": Float(metrics.pixelAccuracy ?? 1), "iou": Float(metrics.meanIoU ?? 1),
        ])
    }
    learner.judgedBy = ("iou", isMoreBetter: true)
    learner.takeGathered = {
      defer { gathered = nil }
      guard let gathered, let iou = gathered.meanIoU, let dice = gathered.meanDice else { return [:] }
      return ["mean_iou": Float(iou), "mean_dice": Float(dice)]
    }
    return learner
  }
}

extension SegmentationMetrics {
  /// Counts the pixels of a batch whose logits are N×classes×H×W, or N×1×H×W for two classes.
  ///
  /// - Throws: `NonFiniteError`, ``UnknownLabel``.
  package mutating func add(logits: Tensor, of batch: SegmentationBatch) throws {
    for (predicted, truth) in zip(try LabelMap.maps(ofLogits: logits), batch.labelMaps) {
      try add(predicted, truth: truth)
    }
  }
}

extension SegmentationBatch {
  /// Throws `TrainingError` unless each label is one of so many classes, or counts for none.
  fileprivate func requireLabels(below classes: Int) throws(TrainingError) {
    let size = labels.shape[1] * labels.shape[2]
    for (place, label) in labels.values(of: Int64.self).enumerated()
    where label >= classes && label != LabelMap.ignored {
      throw .label(Int(label), example: examples[place / size], classes: classes)
    }
  }

  /// The classes of each picture's pixels.
  fileprivate var labelMaps: [LabelMap] {
    let (height, width) = (labels.shape[1], labels.shape[2])
    let values = labels.values(of: Int64.self)
    return (0..<labels.shape[0]).map { place in
      LabelMap(
        width: width, height: height,
        labels: values[place * width * height..<(place + 1) * width * height].map { UInt8($0) })
    }
  }
}
