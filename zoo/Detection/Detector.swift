import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// Finds the objects in a picture: what they are, and a box around each.
///
///     let detector = try Zoo.load(Detector.self, "detr_resnet50", weights: "detr-r50.pth")
///     let objects = try detector.detect(image)
///     try image.drawing(boxes: objects).write(to: "objects.png")
public struct Detector: TaskModel {
  public static let task = ZooTask.detection

  /// One name for each number that a label may have.
  public let labels: [String]
  /// The score that a detection must exceed where the caller says nothing, in 0...1.
  public let threshold: Float
  private let processor: any DetectionProcessor
  private let network: SharedNetwork

  /// - Throws: ``WrongTask`` when the network is for something else; `WeightsError` or ``ConfigurationError`` when what is bound to the weights
  ///   makes no sense.
  public init(_ loaded: sending LoadedNetwork, execution: Execution = .compiled()) throws {
    guard loaded.task == Self.task, let network = loaded.network as? any DetectionNetwork else {
      throw WrongTask(model: loaded.name, task: loaded.task)
    }
    labels = try loaded.labels(network.labelCount, else: "label")
    (threshold, processor) = try Self.processing(
      network, try loaded.portablePreprocessing(), loaded.metadata.taskSettings ?? [:])
    self.network = SharedNetwork(loaded.network, execution: execution)
  }

  /// A network of one's own.
  ///
  /// - Parameters:
  ///   - labels: one name for each number that a label may have; "label 0" and so on where none are given.
  ///   - preprocessing: how pictures become the network's input, as a portable file says it.
  ///   - settings: the numbers of the task, `score_threshold` among them.
  /// - Throws: what ``DetectionNetwork/processor(_:_:)`` throws.
  public init(
    _ network: sending any DetectionNetwork, labels: [String]? = nil,
    preprocessing: PortableMetadata.Preprocessing, settings: Settings = [:],
    execution: Execution = .compiled()
  ) throws {
    let count = network.labelCount
    (threshold, processor) = try Self.processing(network, preprocessing, settings)
    require(labels?.count ?? count == count, "\(labels?.count ?? 0) labels were given for \(count)")
    self.labels = labels ?? (0..<count).map { "label \($0)" }
    self.network = SharedNetwork(network, execution: execution)
  }

  private init(_ other: Detector) {
    (labels, threshold, processor) = (other.labels, other.threshold, other.processor)
    network = other.network.copy()
  }

  /// The score that a detection must exceed, in files and in the catalogue.
  static let thresholdSetting = "score_threshold"

  private static func processing(
    _ network: any DetectionNetwork, _ preprocessing: PortableMetadata.Preprocessing, _ settings: Settings
  ) throws -> (Float, any DetectionProcessor) {
    var own = ConfigurationEntries(settings.filter { $0.key == thresholdSetting })
    let threshold = try own.number(thresholdSetting, 0...1, missing: 0.5)
    return (Float(threshold), try network.processor(preprocessing, settings.withoutThreshold))
  }

  public func copy() -> Detector { Detector(self) }

  /// The objects in a picture, the surest first; boxes end at its border.
  ///
  /// - Parameters:
  ///   - threshold: the score that they must exceed, in 0...1; nil for ``threshold``.
  ///   - name: what messages call the picture.
  /// - Throws: ``UnsuitablePicture`` for a picture that becomes nothing the network takes, ``NoNumbers``.
  public func detect(
    _ image: Image, threshold: Float? = nil, named name: String = "the picture"
  ) throws -> [Detection] {
    try detect([image], threshold: threshold, named: name)[0]
  }

  /// The objects in a picture as ``detect(_:threshold:named:)-(Image,_,_)`` finds them, and what each step on the way left, in the order of the
  /// steps: why there is an object, or none.
  ///
  /// - Throws: as that does.
  public func explain(
    _ image: Image, threshold: Float? = nil, named name: String = "the picture"
  ) throws -> (detections: [Detection], steps: [SelectionStep]) {
    let journal = SelectionJournal()
    let detections = try SelectionJournal.$current.withValue(journal) {
      try detect(image, threshold: threshold, named: name)
    }
    return (detections, journal.steps)
  }

  /// The objects in each of several pictures of any sizes, which go through the network together.
  ///
  /// - Parameters:
  ///   - threshold: the score that they must exceed, in 0...1; nil for ``threshold``.
  ///   - name: what messages call the pictures.
  /// - Throws: ``UnsuitablePicture`` for pictures that become nothing the network takes, ``NoNumbers``.
  public func detect(
    _ images: [Image], threshold: Float? = nil, named name: String = "the pictures"
  ) throws -> [[Detection]] {
    let threshold = threshold ?? self.threshold
    require(
      !images.isEmpty && 0...1 ~= threshold, "\(images.count) pictures, and scores above \(threshold)")
    for image in images { try check(image, named: name) }
    guard processor.joinsSizes || images.allSatisfy({ $0.hasSize(of: images[0]) }) else {
      return try images.map { try detect([$0], threshold: threshold, named: name)[0] }
    }
    let outputs = network(processor.inputs(images))
    for tensor in outputs.tensors where tensor.dtype.isFloatingPoint {
      guard tensor.values().allSatisfy(\.isFinite) else { throw NoNumbers(of: name) }
    }
    let sizes = images.map { (width: $0.width, height: $0.height) }
    let found = processor.detections(outputs, sizes: sizes, labels: labels, threshold: threshold)
    return zip(found, sizes).map { detections, size in
      // Of equal scores the network's order stays, whatever sorting does.
      let order = detections.indices.sorted { (detections[$1].score, $0) < (detections[$0].score, $1) }
      return order.map { index in
        var detection = detections[index]
        detection.box = detection.box.clipped(width: size.width, height: size.height)
        return detection
      }
    }
  }

  private func check(_ image: Image, named name: String) throws(UnsuitablePicture) {
    let (width, height) = processor.size(width: image.width, height: image.height)
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    guard overflow || pixels > PictureInput.mostPixels else { return }
    throw UnsuitablePicture(
      name: name, width: width, height: height, expected: "\(PictureInput.mostPixels) pixels at most")
  }
}

extension Image {
  fileprivate func hasSize(of other: Image) -> Bool { width == other.width && height == other.height }
}

extension Settings {
  /// Without the score that detections must exceed, which is no processor's.
  fileprivate var withoutThreshold: Settings { filter { $0.key != Detector.thresholdSetting } }
}

extension LoadedNetwork {
  /// The numbers of the task that a network's ``DetectionNetwork/processor(_:_:)`` takes.
  package var processingSettings: Settings { (metadata.taskSettings ?? [:]).withoutThreshold }
}
