import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryWeights

/// A detector that learns from pictures with objects: what is made small, and how data's classes are numbered for it.
///
///     let learner = detector.learner(Adam(learningRate: 1e-3))
///     try Trainer(learner).fit(AugmentedPictures(pictures, preprocessing: preprocessing), epochs: 10)
public protocol TrainableDetector: DetectionNetwork {
  /// The label of data's first class: 1 where 0 is the background's, else 0 (``RenumberedObjects``).
  var firstLabel: Int { get }
  /// Whether it learns from objects with masks alone.
  var needsMasks: Bool { get }
  /// The losses of a batch by their names in the reference, each of one element and a mean over the pictures.
  ///
  /// - Parameters:
  ///   - batch: pictures as the network takes them, with objects whose labels it knows, or without any. Crowds are left out.
  ///   - choose: the numbers below the given one in random order, for what learns from a few of many boxes.
  /// - Throws: ``UnsuitableObject``, or `TrainingError` for a label that is none of the network's.
  func losses(_ batch: DetectionBatch, choosing choose: (Int) -> [Int]) throws -> NamedTensors
  /// What a loss of that name counts in the sum that is made small: 1 where the reference says nothing, 0 for one that is only told.
  func weight(ofLoss name: String) -> Float
  /// What its settings ask of learning and is not done: a sentence for each.
  var learningRemarks: [String] { get }
  /// Gradients longer than this are scaled down, as the reference does; nil for none.
  var gradientNormLimit: Float? { get }
  /// What the network takes for a batch: the pictures, its first input.
  func inputs(_ batch: DetectionBatch) -> NamedTensors
  /// The sizes of a batch's pictures, which the boxes that are found in it are of: that of all, padding included.
  func sizes(_ batch: DetectionBatch) -> [(width: Int, height: Int)]
  /// Annotated pictures as the network learns from them: what ``DetectionNetwork/processor(_:_:)`` makes of pictures, and of their boxes.
  ///
  /// - Throws: what that throws.
  func data(
    _ pictures: any AnnotatedPictures, augmentation: Augmentation?,
    preprocessing: PortableMetadata.Preprocessing, settings: Settings
  ) throws -> AugmentedPictures<DetectionBatch>
}

extension TrainableDetector {
  public var needsMasks: Bool { false }
  public func weight(ofLoss name: String) -> Float { 1 }
  public var gradientNormLimit: Float? { nil }
  public var learningRemarks: [String] { [] }

  public func inputs(_ batch: DetectionBatch) -> NamedTensors {
    completed([signature.inputs[0].name: batch.inputs])
  }

  public func sizes(_ batch: DetectionBatch) -> [(width: Int, height: Int)] {
    batch.instances.map { _ in (width: batch.inputs.shape[3], height: batch.inputs.shape[2]) }
  }

  public func data(
    _ pictures: any AnnotatedPictures, augmentation: Augmentation?,
    preprocessing: PortableMetadata.Preprocessing, settings: Settings
  ) throws -> AugmentedPictures<DetectionBatch> {
    AugmentedPictures(
      pictures, augmentation: augmentation, preprocessing: try Preprocessing(preprocessing, file: nil))
  }

  /// A learner of the weighted sum of ``losses(_:choosing:)``. Its metrics are the losses.
  ///
  /// - Parameters:
  ///   - generator: chooses the boxes that are learned from; nil for the current one while learning, and in evaluations for one that
  ///     always begins alike, so that they can be compared.
  ///   - processor: where given, evaluations over data also have COCO's `map` and `map50`, of what it makes of the network's outputs.
  public func learner(
    _ optimizer: any Optimizer, using generator: RandomGenerator? = nil,
    measuringWith processor: (any DetectionProcessor)? = nil
  ) -> ObjectiveLearner<DetectionBatch> {
    var gathered = COCOEvaluation(.boxes)
    let learner = ObjectiveLearner<DetectionBatch>(self, optimizer) { batch in
      let isLearning = self.parameters.contains { $0.value.isTracked }
      let generator = generator ?? (isLearning ? .current : RandomGenerator(seed: 0))
      let losses = try self.losses(batch) { Tensor.permutation($0, using: generator) }
      if !isLearning, let processor { self.measure(batch, processor, &gathered) }
      return ObjectiveValue(
        loss: self.weightedSum(of: losses), count: batch.examples.count,
        metrics: Dictionary(uniqueKeysWithValues: losses.elements.map { ($0.name, $0.tensor.item()) }))
    }
    learner.gradientNormLimit = gradientNormLimit
    if processor != nil {
      learner.takeGathered = {
        defer { gathered = COCOEvaluation(.boxes) }
        let summary = gathered.summary
        guard let precision = summary.averagePrecision, let at50 = summary.at50 else { return [:] }
        return ["map": Float(precision), "map50": Float(at50)]
      }
    }
    return learner
  }

  /// What ultralytics measures with: boxes of nearly any score count, the surest first.
  public var leastMeasuredScore: Float { 0.001 }

  /// Counts what the network finds in the pictures of a batch, as they are in it.
  private func measure(
    _ batch: DetectionBatch, _ processor: any DetectionProcessor, _ evaluation: inout COCOEvaluation
  ) {
    let labels = (0..<labelCount).map { "label \($0)" }
    let found = processor.detections(
      self(inputs(batch)), sizes: sizes(batch), labels: labels, threshold: leastMeasuredScore)
    for (detections, objects) in zip(found, batch.instances) {
      evaluation.add(detections.filter { $0.score.isFinite }, objects: objects)
    }
  }

  /// What is made small: the losses times their weights.
  public func weightedSum(of losses: NamedTensors) -> Tensor {
    losses.elements.reduce(Tensor(Float(0))) { sum, loss in
      let weight = weight(ofLoss: loss.name)
      return weight == 0 ? sum : sum + (weight == 1 ? loss.tensor : loss.tensor * weight)
    }
  }
}

/// An object that a detector cannot learn from.
public struct UnsuitableObject: Error, Equatable, CustomStringConvertible {
  /// The picture's number in its data.
  public let example: Int
  /// What is wrong with it.
  public let reason: String

  public var description: String { "an object of picture \(example) \(reason)" }
}

extension Instance {
  /// Throws ``UnsuitableObject`` for a box without an area, or a label that is none of the network's.
  func requireLearnable(in example: Int, labels known: Range<Int>) throws(UnsuitableObject) {
    guard box.x2 > box.x1, box.y2 > box.y1 else {
      throw UnsuitableObject(example: example, reason: "has a box without an area: \(box.coco)")
    }
    guard known.contains(labelIndex) else {
      throw UnsuitableObject(
        example: example,
        reason: "has the label \(labelIndex), of \(known.lowerBound) to \(known.upperBound - 1)")
    }
  }
}

/// The objects of a batch in its pictures as the network resizes them. Crowds are left out.
struct ScaledTruth {
  /// Of each picture.
  let boxes: [[Box]]
  /// Of each picture.
  let labels: [[Int]]
  /// Of each picture, 0 and 1 of the resized picture without its padding, row by row; empty where they are not asked for.
  let masks: [[[Float]]]

  /// Throws ``UnsuitableObject`` for a box without an area, a label that is none of the network's, and where masks are asked for an object
  /// without one.
  init(_ batch: DetectionBatch, _ picture: ScaledPicture, labels known: Range<Int>, needsMasks: Bool) throws {
    let (x, y) = (
      Float(picture.width) / Float(picture.original[3]), Float(picture.height) / Float(picture.original[2])
    )
    let objects = batch.instances.map { $0.filter { !$0.isCrowd } }
    for (instances, example) in zip(objects, batch.examples) {
      for instance in instances {
        try instance.requireLearnable(in: example, labels: known)
        if needsMasks, instance.mask == nil {
          throw UnsuitableObject(example: example, reason: "has no mask")
        }
      }
    }
    boxes = objects.map {
      $0.map { Box(x1: $0.box.x1 * x, y1: $0.box.y1 * y, x2: $0.box.x2 * x, y2: $0.box.y2 * y) }
    }
    labels = objects.map { $0.map(\.labelIndex) }
    masks =
      needsMasks
      ? objects.map { $0.map { $0.mask!.resized(height: picture.height, width: picture.width) } } : []
  }
}

extension Mask {
  /// 0 and 1 of the nearest pixels, row by row.
  fileprivate func resized(height: Int, width: Int) -> [Float] {
    Tensor(pixels.map { $0 ? Float(1) : 0 }, shape: [1, 1, self.height, self.width])
      .interpolated(to: [height, width], .nearest).values()
  }
}
