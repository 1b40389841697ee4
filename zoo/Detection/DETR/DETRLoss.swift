import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryWeights

/// What DETR learns from: the queries' answers and the true objects are matched one to one, and each query shall answer with its object, or with
/// none (Carion et al. 2020, arXiv:2005.12872, section 3.1, equations 1 and 2; numbers of facebookresearch).
public struct DETRLoss: Sendable, Hashable, Codable {
  /// What −p of an object's label counts when queries are matched.
  public var classCost: Float = 1
  /// What the L1 distance of boxes counts when queries are matched, and in the loss.
  public var box: Float = 5
  /// What the generalised overlap of boxes counts when queries are matched, and in the loss.
  public var overlap: Float = 2
  /// What "no object" counts in the cross-entropy, where labels count 1.
  public var noObject: Float = 0.1

  /// The weights of facebookresearch.
  public init() {}

  /// The objects of a picture: labels, and boxes in shares of it.
  struct Truth {
    var labels: [Int] = []
    /// Four numbers each: centre x, centre y, width and height.
    var boxes: [Float] = []
  }

  /// An object and the query that shall answer with it.
  struct Match: Hashable {
    let query: Int
    let object: Int
  }

  /// The query of each object of each picture, by the answers as they are now, in the order of the queries.
  ///
  /// - Parameters:
  ///   - logits: N×Q×(labels + 1).
  ///   - boxes: N×Q×4.
  func matches(_ logits: Tensor, _ boxes: Tensor, _ truth: [Truth]) -> [[Match]] {
    let (queries, width) = (logits.shape[1], logits.shape[2])
    let (shares, edges) = (logits.detached.softmax().values(), boxes.detached.values())
    return truth.enumerated().map { picture, truth in
      let count = truth.labels.count
      let costs = (0..<queries).flatMap { query -> [Double] in
        let row = picture * queries + query
        let own = Array(edges[4 * row..<4 * row + 4])
        return (0..<count).map { object in
          let other = Array(truth.boxes[4 * object..<4 * object + 4])
          let distance = zip(own, other).reduce(Float(0)) { $0 + abs($1.0 - $1.1) }
          let common = Box(centred: own).generalizedIoU(Box(centred: other))
          return Double(
            box * distance - classCost * shares[row * width + truth.labels[object]] - overlap * common)
        }
      }
      return LinearAssignment.columns(costs, rows: queries, columns: count).enumerated().compactMap {
        query, object in object.map { Match(query: query, object: $0) }
      }
    }
  }

  /// The losses of one layer's answers, without weights: `loss_ce`, `loss_bbox` and `loss_giou`, and for people `class_error`, the percentage
  /// of objects whose label is wrong, and `cardinality_error`, by how many objects the number in a picture is wrong.
  ///
  /// - Parameters:
  ///   - logits: N×Q×(labels + 1), "no object" the last.
  ///   - boxes: N×Q×4, in shares of the picture.
  func callAsFunction(_ logits: Tensor, _ boxes: Tensor, _ truth: [Truth]) -> NamedTensors {
    let (queries, nothing) = (logits.shape[1], logits.shape[2] - 1)
    let matches = matches(logits, boxes, truth)
    var labels = [Int64](repeating: Int64(nothing), count: truth.count * queries)
    var (rows, wanted): ([Int], [Float]) = ([], [])
    for (picture, matches) in matches.enumerated() {
      for match in matches {
        let row = picture * queries + match.query
        labels[row] = Int64(truth[picture].labels[match.object])
        rows.append(row)
        wanted += truth[picture].boxes[4 * match.object..<4 * match.object + 4]
      }
    }
    let flat = logits.reshaped([-1, nothing + 1])
    let counts = Tensor((0...nothing).map { $0 == nothing ? noObject : 1 })
    let answers = flat.detached.argMax().values(of: Int64.self)
    let wrong = rows.filter { answers[$0] != labels[$0] }.count
    let miscounted = truth.enumerated().map { picture, truth in
      let found = answers[picture * queries..<(picture + 1) * queries].filter { $0 != nothing }.count
      return abs(found - truth.labels.count)
    }
    var result: NamedTensors = [
      "loss_ce": softmaxCrossEntropy(flat, labels: Tensor(labels), classWeights: counts),
      // Of no objects none is right.
      "class_error": Tensor(rows.isEmpty ? Float(100) : 100 * Float(wrong) / Float(rows.count)),
      "cardinality_error": Tensor(Float(miscounted.reduce(0, +)) / Float(max(truth.count, 1))),
      "loss_bbox": Tensor(Float(0)), "loss_giou": Tensor(Float(0)),
    ]
    if rows.isEmpty { return result }
    let own = boxes.reshaped([-1, 4]).taking(rows, axis: 0)
    let targets = Tensor(wanted, shape: own.shape)
    let objects = Float(max(truth.reduce(0) { $0 + $1.labels.count }, 1))
    let overlaps = generalizedOverlaps(own.edgesOfCentred, targets.edgesOfCentred, epsilon: 0)
    result["loss_bbox"] = meanAbsoluteError(own, targets, reduction: .sum) / objects
    result["loss_giou"] = (1 - overlaps).sum() / objects
    return result
  }
}

extension DETR: TrainableDetector {
  public var firstLabel: Int { 0 }
  /// Each picture resized as for detection, and those of a batch padded to the largest.
  public func data(
    _ pictures: any AnnotatedPictures, augmentation: Augmentation?,
    preprocessing: PortableMetadata.Preprocessing, settings: Settings
  ) throws -> AugmentedPictures<DetectionBatch> {
    try ConfigurationEntries(settings).finish()
    let processor = try Processor(preprocessing)
    var data = AugmentedPictures<DetectionBatch>(
      pictures, augmentation: augmentation, preprocessing: processor.normalization)
    data.framing = { picture in
      let (width, height) = processor.size(width: picture.image.width, height: picture.image.height)
      var colours = picture
      colours.image = picture.image.converted(to: .rgb)
      return colours.resized(width: width, height: height, processor.normalization.interpolation)
    }
    return data
  }

  /// As facebookresearch trains it.
  public var gradientNormLimit: Float? { 0.1 }

  /// ``DETRLoss`` of what the last layer of the decoder answers, and under names with `_0`, `_1`, … of the layers before it, each with a matching
  /// of its own (section 3.2, "Auxiliary decoding losses").
  ///
  /// What the pictures of a batch were padded with is masked, and boxes are shares of the pictures without it.
  public func losses(_ batch: DetectionBatch, choosing choose: (Int) -> [Int]) throws -> NamedTensors {
    let truth = try truth(batch)
    let layers = objects(batch.inputs, mask: batch.padding)
    var result: NamedTensors = [:]
    for (number, objects) in ([layers.last!] + layers.dropLast()).enumerated() {
      let (logits, boxes) = answers(objects)
      let parts = loss(logits, boxes, truth)
      for (name, part) in parts.elements {
        if number == 0 {
          result[name] = part
        } else if name != "class_error" {
          result["\(name)_\(number - 1)"] = part
        }
      }
    }
    return result
  }

  /// Those of errors are 0.
  public func weight(ofLoss name: String) -> Float {
    if name.hasPrefix("loss_ce") { return 1 }
    if name.hasPrefix("loss_bbox") { return loss.box }
    return name.hasPrefix("loss_giou") ? loss.overlap : 0
  }

  /// The pictures with the mask of their padding.
  public func inputs(_ batch: DetectionBatch) -> NamedTensors {
    ["image": batch.inputs, "mask": batch.padding]
  }

  /// Without their padding.
  public func sizes(_ batch: DetectionBatch) -> [(width: Int, height: Int)] {
    batch.sizes.map { ($0.width, $0.height) }
  }

  /// The objects of each picture but crowds, in shares of it.
  private func truth(_ batch: DetectionBatch) throws -> [DETRLoss.Truth] {
    try zip(zip(batch.instances, batch.sizes), batch.examples).map { picture, example in
      let (instances, size) = picture
      let (width, height) = (Float(size.width), Float(size.height))
      var truth = DETRLoss.Truth()
      for instance in instances where !instance.isCrowd {
        try instance.requireLearnable(in: example, labels: 0..<labelCount)
        let box = instance.box
        truth.labels.append(instance.labelIndex)
        truth.boxes += [
          (box.x1 + box.x2) / 2 / width, (box.y1 + box.y2) / 2 / height, box.width / width,
          box.height / height,
        ]
      }
      return truth
    }
  }
}

extension Box {
  /// The box of a centre and a size, four numbers.
  fileprivate init(centred numbers: [Float]) {
    self.init(centreX: numbers[0], centreY: numbers[1], width: numbers[2], height: numbers[3])
  }
}
