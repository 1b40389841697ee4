import Aviary
import Foundation

/// `aviary finetune` for detectors: objects with boxes, and masks where the network learns them, in COCO's or YOLO's format.
enum DetectorFinetuning {
  static func run(_ name: String, _ arguments: Arguments) throws {
    let finetuning = try NetworkFinetuning(
      name, arguments, batch: 4, refusing: ["channels", "classes", "labels", "loss", "class-weights"])
    let options = finetuning.options
    let original = try finetuning.original()
    guard let teachable = original.network as? any TrainableDetector else {
      throw UsageError("\(name) cannot be taught: no losses of its kind are known")
    }
    let data = try arguments.required("data")
    let objects = try open(data, pictures: arguments.string("pictures"))
    let first = teachable.firstLabel
    var loaded = try finetuning.prepared(
      original, labels: RenumberedObjects(objects, from: first).classNames)
    guard let network = loaded.network as? any TrainableDetector, let portable = loaded.metadata.preprocessing
    else { throw UsageError("nothing says how a picture becomes an input of \(name)") }
    var preprocessing = portable
    if arguments.has("size") {
      guard preprocessing.height != nil else {
        throw UsageError(
          "--size is for networks of a fixed size; \(name) has settings for that: 'aviary info \(name)'")
      }
      let side = try arguments.integer("size", default: 640, in: 32...4096)
      (preprocessing.height, preprocessing.width) = (side, side)
      loaded.metadata.preprocessing = preprocessing
    }
    let settings = loaded.processingSettings
    let processor = try network.processor(preprocessing, settings)

    var survey = ObjectSurvey(objects.classNames, processor)
    func usable(_ objects: any AnnotatedPictures, _ data: String) throws -> SomePictures {
      try PictureSurvey.usable(LearnableObjects(objects, needsMasks: network.needsMasks), of: data) {
        try survey.look($0, needsMasks: network.needsMasks)
      }
    }
    let pictures = try usable(objects, data)
    if !options.isQuiet { Console.print(survey.summary) }
    let parts = try finetuning.parts(pictures) { data in
      try usable(try open(data, pictures: arguments.string("validation-pictures")), data)
    }
    for remark in network.learningRemarks { Console.printError("\(name): \(remark)") }
    let optimisation = try Optimisation(arguments, for: network)
    guard !(optimisation.optimizer is LBFGS) else {
      throw UsageError(
        "--optimizer lbfgs searches along lines: it goes not with detectors, which choose boxes at random")
    }
    let measured = try parts.validation.map { try $0.withObjects } ?? 0
    let isMeasured = measured >= fewestMeasured
    let learner = network.learner(
      optimisation.optimizer, measuringWith: isMeasured ? processor : nil)
    if isMeasured { learner.judgedBy = ("map50", isMoreBetter: true) }
    if !options.isQuiet {
      Console.print(
        isMeasured
          ? "the best epoch is that of the highest average precision at IoU .50 on \(measured) pictures that are not learned from"
          : "the best epoch is that of the lowest loss: average precision takes \(fewestMeasured) pictures with objects beside those to learn from, and there are \(measured)"
      )
    }
    func batches(_ pictures: SomePictures, _ augmentation: Augmentation?) throws -> AugmentedPictures<
      DetectionBatch
    > {
      try network.data(
        RenumberedObjects(pictures, from: first), augmentation: augmentation, preprocessing: preprocessing,
        settings: settings)
    }
    let side = preprocessing.height ?? survey.sizes.shortest
    var crop = RandomResizedCrop(width: side, height: side)
    crop.scale = leastShare...1
    try finetuning.run(
      loaded, learner, optimisation,
      try batches(parts.training, try FinetuneCommand.augmentation(arguments, crop: crop)),
      validation: try parts.validation.map { try batches($0, nil) }, facts: [("pictures", survey.summary)])
  }

  /// Pictures with objects from which on average precision says which epoch is the best.
  private static let fewestMeasured = 10
  /// Of a picture that `--augment crop` cuts out: less would show parts of objects alone.
  private static let leastShare: Float = 0.25

  /// A COCO file; a folder as `aviary draw scenes --objects` writes it; or one of `images` and `labels` in YOLO's format.
  static func open(_ data: String, pictures: String? = nil) throws -> any AnnotatedPictures {
    if FileManager.default.isFolder(data),
      !FileManager.default.fileExists(atPath: COCOData.file(in: data, .instances))
    {
      guard FileManager.default.fileExists(atPath: "\(data)/labels") else {
        throw UsageError(
          "\(data) holds neither instances.json, beside the folder pictures, nor labels, beside the folder images"
        )
      }
      let objects = try YOLOLabels(data)
      if !objects.leftOut.isEmpty { Console.printError(objects.summary) }
      return objects
    }
    let objects = try COCOData.open(data, pictures: pictures, .instances)
    guard !objects.classNames.isEmpty else { throw UsageError("the data list no category") }
    return objects
  }
}

extension SomePictures {
  /// How many show an object.
  fileprivate var withObjects: Int {
    get throws { try (0..<count).count { try !picture($0).instances.isEmpty } }
  }
}

/// Pictures without the objects that a network which needs masks learns nothing from.
private struct LearnableObjects: AnnotatedPictures {
  private let base: any AnnotatedPictures
  private let needsMasks: Bool

  init(_ base: any AnnotatedPictures, needsMasks: Bool) {
    (self.base, self.needsMasks) = (base, needsMasks)
  }

  var count: Int { base.count }
  var classNames: [String] { base.classNames }
  func knownLabel(_ index: Int) -> Int? { base.knownLabel(index) }

  func picture(_ index: Int) throws -> AnnotatedPicture {
    var picture = try base.picture(index)
    if needsMasks { picture.instances.removeAll { $0.mask?.pixels.contains(true) != true } }
    return picture
  }
}

/// The objects of pictures, counted.
private struct ObjectSurvey {
  private let names: [String]
  private let processor: any DetectionProcessor
  private var counts: [Int]
  private var (pictures, empty, crowds) = (0, 0, 0)
  private(set) var sizes = PictureSizes()

  init(_ names: [String], _ processor: any DetectionProcessor) {
    (self.names, self.processor) = (names, processor)
    counts = names.map { _ in 0 }
  }

  /// Throws ``UnusablePicture`` for one that is too large.
  mutating func look(_ picture: AnnotatedPicture, needsMasks: Bool) throws(UnusablePicture) {
    try sizes.add((picture.image.width, picture.image.height))
    try sizes.add(processor.size(width: picture.image.width, height: picture.image.height))
    let objects = picture.instances.filter { !$0.isCrowd }
    crowds += picture.instances.count - objects.count
    for object in objects { counts[object.labelIndex] += 1 }
    pictures += 1
    if objects.isEmpty { empty += 1 }
  }

  /// `24 pictures, 2 of them without objects, with 77 objects: star 40, ring 37; 3 crowds, of which nothing is learned`
  var summary: String {
    let list = zip(names, counts).map { "\($0) \($1)" }
    return "\(pictures) pictures"
      + (empty > 0 ? ", \(empty) of them without objects," : "")
      + " with \(counts.reduce(0, +)) objects: " + list.prefix(24).joined(separator: ", ")
      + (list.count > 24 ? ", …" : "")
      + (crowds > 0 ? "; \(crowds) crowds, of which nothing is learned" : "")
  }
}
