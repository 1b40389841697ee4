import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision

// What Faster and Mask R-CNN learn from, with the numbers of torchvision (Ren et al. 2015, arXiv:1506.01497, section 3.1.2 and 3.1.3; Girshick
// 2015, arXiv:1504.08083, section 2.3; He et al. 2017, arXiv:1703.06870, section 3).

extension FasterRCNN: TrainableDetector {
  public var needsMasks: Bool { configuration.hasMasks }

  private static let anchorMatcher = BoxMatcher(least: 0.7, most: 0.3, keepsBest: true)
  private static let regionMatcher = BoxMatcher(least: 0.5, most: 0.5, keepsBest: false)
  /// Where the loss of boxes becomes linear.
  private static let beta: Float = 1 / 9
  static let maskSide = 28

  /// `loss_classifier`, `loss_box_reg`, `loss_objectness`, `loss_rpn_box_reg`, and with a mask branch `loss_mask`.
  public func losses(_ batch: DetectionBatch, choosing choose: (Int) -> [Int]) throws -> NamedTensors {
    let picture = configuration.scaling(batch.inputs)
    let truth = try ScaledTruth(
      batch, picture, labels: firstLabel..<configuration.labels, needsMasks: configuration.hasMasks)
    let levels = backbone(picture.tensor)
    let answers = rpn(levels)
    let proposing = proposalLosses(
      answers, picture, truth, BalancedSampler(count: configuration.sampledAnchors, objectShare: 0.5), choose)

    let proposals = rpn.proposals(
      answers, of: picture, count: configuration.trainedProposals,
      best: configuration.trainedProposalsPerLevel)
    let samples = regions(
      proposals, truth, BalancedSampler(count: configuration.sampledRegions, objectShare: 0.25), choose)
    let pooled = Array(levels.dropLast())
    let pooling = RegionPooling(pooled, frame: picture.frame)
    let features = pooling(pooled, regions: samples.map { $0.map(\.box) }, size: RegionHeads.boxSize)
    let all = samples.flatMap(\.self)
    let (classifier, boxes) = regionLosses(
      roiHeads.boxPredictor(roiHeads.boxHead(features)), all, truth.boxes.flatMap(\.self))
    var result: NamedTensors = [
      "loss_classifier": classifier, "loss_box_reg": boxes, "loss_objectness": proposing.objectness,
      "loss_rpn_box_reg": proposing.boxes,
    ]
    if let maskHead = roiHeads.maskHead, let predictor = roiHeads.maskPredictor {
      let objects = samples.map { $0.filter { $0.label > 0 } }
      result["loss_mask"] = maskLoss(objects, truth, picture.frame) {
        predictor(
          maskHead(pooling(pooled, regions: objects.map { $0.map(\.box) }, size: RegionHeads.maskSize)))
      }
    }
    return result
  }

  private func proposalLosses(
    _ answers: [(logits: Tensor, deltas: Tensor)], _ picture: ScaledPicture, _ truth: ScaledTruth,
    _ sampler: BalancedSampler, _ choose: (Int) -> [Int]
  ) -> (objectness: Tensor, boxes: Tensor) {
    let anchors = rpn.anchors(answers, of: picture)
    var (objects, background, targets): ([Int], [Int], [Float]) = ([], [], [])
    for (index, boxes) in truth.boxes.enumerated() {
      let matches = Self.anchorMatcher(anchors, truth: boxes)
      let sample = sampler(matches, choosing: choose)
      for anchor in sample.objects {
        targets += BoxCoder().encoded(boxes[matches[anchor].object!], from: anchors[anchor])
      }
      objects += sample.objects.map { index * anchors.count + $0 }
      background += sample.background.map { index * anchors.count + $0 }
    }
    let logits = concatenate(answers.map { $0.logits.placeByPlace(each: 1) }, axis: 1).reshaped([-1])
    let deltas = concatenate(answers.map { $0.deltas.placeByPlace(each: 4) }, axis: 1).reshaped([-1, 4])
    let count = objects.count + background.count
    let labels = Tensor((0..<count).map { $0 < objects.count ? Float(1) : 0 })
    let objectness = sigmoidCrossEntropy(logits.taking(objects + background, axis: 0), targets: labels)
    return (
      objectness,
      boxLoss(deltas, rows: objects, targets, count: count)
    )
  }

  /// The smooth L1 loss of some rows of differences …×4, over `count` boxes, most of which have none.
  private func boxLoss(_ deltas: Tensor, rows: [Int], _ targets: [Float], count: Int) -> Tensor {
    if rows.isEmpty { return Tensor(Float(0)) }
    let own = deltas.taking(rows, axis: 0)
    return smoothL1(own, Tensor(targets, shape: own.shape), beta: Self.beta, reduction: .sum)
      / Float(max(count, 1))
  }

  /// A region to learn from.
  private struct Sample {
    let box: Box
    /// 0 for the background.
    let label: Int
    /// Its number among the picture's objects; 0 for the background.
    let object: Int
    /// The first number of the picture's objects among all pictures'.
    let first: Int
  }

  private func regions(
    _ proposals: Tensor, _ truth: ScaledTruth, _ sampler: BalancedSampler, _ choose: (Int) -> [Int]
  ) -> [[Sample]] {
    let (edges, perPicture) = (proposals.values(), proposals.shape[1])
    var first = 0
    return truth.boxes.enumerated().map { picture, objects in
      defer { first += objects.count }
      // The truth is proposed, too.
      let boxes =
        (picture * perPicture..<(picture + 1) * perPicture).map { Box(edges, at: $0) }
        .filter { $0.width > 0 && $0.height > 0 } + objects
      let matches = Self.regionMatcher(boxes, truth: objects)
      let sample = sampler(matches, choosing: choose)
      return (sample.objects + sample.background).sorted().map { index in
        let object = matches[index].object
        return Sample(
          box: boxes[index], label: object.map { truth.labels[picture][$0] } ?? 0, object: object ?? 0,
          first: first)
      }
    }
  }

  private func regionLosses(
    _ outputs: (logits: Tensor, deltas: Tensor), _ samples: [Sample], _ truth: [Box]
  ) -> (classifier: Tensor, boxes: Tensor) {
    let labels = Tensor(samples.map { Int64($0.label) })
    let classifier = softmaxCrossEntropy(outputs.logits, labels: labels)
    // The differences of each object's own label.
    let objects = samples.indices.filter { samples[$0].label > 0 }
    let rows = objects.map { $0 * configuration.labels + samples[$0].label }
    let targets = objects.flatMap { index in
      DetectionChoice.coder.encoded(
        truth[samples[index].first + samples[index].object], from: samples[index].box)
    }
    let deltas = outputs.deltas.reshaped([-1, 4])
    return (classifier, boxLoss(deltas, rows: rows, targets, count: samples.count))
  }

  /// - Parameter logits: R×labels×28×28 for all objects' regions.
  private func maskLoss(
    _ objects: [[Sample]], _ truth: ScaledTruth, _ frame: Frame, logits: () -> Tensor
  ) -> Tensor {
    let all = objects.flatMap(\.self)
    guard !all.isEmpty else { return Tensor(Float(0)) }
    let side = Self.maskSide
    var targets: [Float] = []
    for (picture, samples) in objects.enumerated() where !samples.isEmpty {
      let masks = Tensor(
        truth.masks[picture].flatMap(\.self),
        shape: [truth.masks[picture].count, 1, frame.height, frame.width])
      let regions = samples.flatMap { sample -> [Float] in
        [Float(sample.object), sample.box.x1, sample.box.y1, sample.box.x2, sample.box.y2]
      }
      targets += regionsAligned(
        [masks], regions: Tensor(regions, shape: [samples.count, 5]), size: (side, side), scales: [1]
      ).values()
    }
    let rows = all.enumerated().map { $0 * configuration.labels + $1.label }
    let own = logits().reshaped([-1, side, side]).taking(rows, axis: 0)
    return sigmoidCrossEntropy(own, targets: Tensor(targets, shape: own.shape))
  }
}

extension RegionPooling {
  /// As for boxes N×P×4, for as many boxes of each picture as there are.
  func callAsFunction(_ levels: [Tensor], regions: [[Box]], size: Int) -> Tensor {
    var (rows, numbers): ([Float], [Int64]) = ([], [])
    for (picture, boxes) in regions.enumerated() {
      for box in boxes {
        rows += [Float(picture), box.x1, box.y1, box.x2, box.y2]
        numbers.append(Int64(level(box)))
      }
    }
    return regionsAligned(
      levels, regions: Tensor(rows, shape: [numbers.count, 5]), levels: Tensor(numbers), size: (size, size),
      scales: scales, samples: 2)
  }
}
