import Aviary
import Foundation

/// `aviary finetune` for segmenters: classes of pixels, from pictures and masks of them or from the masks of objects in a COCO file.
enum SegmenterFinetuning {
  static func run(_ name: String, _ arguments: Arguments) throws {
    let finetuning = try NetworkFinetuning(name, arguments, batch: 8, refusing: ["channels"])
    let options = finetuning.options
    let original = try finetuning.original()
    let data = try arguments.required("data")
    let known = original.metadata.labels ?? []
    let classes = try classes(arguments)
    let (pictures, reading) = try open(
      data, pictures: arguments.string("pictures"), classes: classes, known: known)
    let loaded = try finetuning.prepared(original, labels: pictures.classNames)

    var (preprocessing, sizeMultiple) = try loaded.pixelInput()
    if arguments.has("size") {
      let side = try arguments.integer("size", default: 64, in: 8...4096)
      preprocessing = preprocessing.sized(resize: .shortSide(side), crop: side)
      tell("pictures are resized to a short side of \(side) and cut to \(side)×\(side)", options)
    }
    var survey = PixelSurvey(pictures.classNames, preprocessing)
    let usable = try PictureSurvey.usable(pictures, of: data) { try survey.look($0) }
    tell("\(usable.count) pictures with \(reading): \(survey.shares)", options)
    survey.sizes.text.map { tell($0, options) }

    let parts = try finetuning.parts(usable) { data in
      let (pictures, _) = try open(
        data, pictures: arguments.string("validation-pictures"), classes: classes, known: known)
      return try PictureSurvey.usable(pictures, of: data) { try survey.look($0) }
    }
    let optimisation = try Optimisation(arguments, for: loaded.network)
    let loss = try pixelLoss(arguments, survey.balance, usual: PixelLoss(for: loaded.network))
    let learner = loss.learner(of: loaded.network, optimisation.optimizer)
    if parts.validation != nil { learner.judgedBy = ("mean_iou", isMoreBetter: true) }
    tell(
      "the best epoch is that of the highest mean IoU over all pixels of "
        + (parts.validation.map { "\($0.count) pictures that are not learned from" } ?? "a batch, on average"),
      options)

    func batches(_ pictures: SomePictures, _ augmentation: Augmentation?) -> AugmentedPictures<
      SegmentationBatch
    > {
      var data = AugmentedPictures<SegmentationBatch>(
        pictures, augmentation: augmentation, preprocessing: preprocessing)
      data.sizeMultiple = sizeMultiple
      return data
    }
    let side = preprocessing.crop ?? survey.sizes.shortest
    var crop = RandomResizedCrop(width: side, height: side)
    crop.scale = leastShare...1
    let training = batches(
      parts.training, try FinetuneCommand.augmentation(arguments, crop: crop))
    // What no picture of these can be is found before the run, not in the middle of it.
    try loaded.check([loaded.network.signature.inputs[0].name: try training.batch([0]).inputs])
    try finetuning.run(
      loaded, learner, optimisation, training, validation: parts.validation.map { batches($0, nil) },
      facts: [("pictures", "\(usable.count) with \(reading)"), ("shares of pixels", survey.shares)])
  }

  /// Of a picture that `--augment crop` cuts out: less would show parts of objects alone.
  private static let leastShare: Float = 0.25

  private static func tell(_ text: String, _ options: TrainingOptions) {
    if !options.isQuiet { Console.print(text) }
  }

  /// What the command line says of masks' classes: their names, and how many there are.
  private static func classes(_ arguments: Arguments) throws -> (names: [String]?, count: Int?) {
    let count = try arguments.adaptation.classes
    let names = arguments.string("labels").map { text in
      text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }
    if let names, names.count < 2 || count ?? names.count != names.count {
      throw UsageError(
        "--labels names \(names.count) classes of pixels\(count.map { ", --classes says \($0)" } ?? "")")
    }
    return (names, count)
  }

  /// A folder of pictures and masks, or a COCO file, and in words what its classes are.
  ///
  /// - Parameters:
  ///   - folder: of the pictures of a COCO file.
  ///   - classes: what is known of masks' classes.
  ///   - known: the network's own labels.
  static func open(
    _ data: String, pictures folder: String?, classes: (names: [String]?, count: Int?), known: [String]
  ) throws -> (pictures: any AnnotatedPictures, reading: String) {
    if FileManager.default.isFolder(data) {
      guard folder == nil else {
        throw UsageError("--pictures is for a COCO file, and \(data) is a folder")
      }
      let pictures = try MaskedPictures(data, names: classes.names, count: classes.count, known: known)
      return (pictures, "\(pictures.reading), the masks read as \(try pictures.firstReading())")
    }
    let pictures = ObjectPixels(try COCOData.open(data, pictures: folder, .instances))
    if let names = classes.names, names != pictures.classNames {
      throw UsageError("--labels is for masks: \(data) names its classes itself")
    }
    return (pictures, "\(pictures.classNames.count) classes, those of its objects' masks")
  }

  /// What `--loss` and `--class-weights` ask for, what is usual for the network where they are missing.
  private static func pixelLoss(
    _ arguments: Arguments, _ balance: ClassBalance, usual: PixelLoss
  ) throws -> PixelLoss {
    var loss = usual
    if let text = arguments.string("loss") {
      let terms = text.split(separator: "+", omittingEmptySubsequences: false).map(String.init)
      let known = ["cross-entropy", "dice", "focal"]
      guard Set(terms).count == terms.count, terms.allSatisfy(known.contains) else {
        throw UsageError(
          "--loss takes a sum of \(known.joined(separator: ", ")), such as cross-entropy+dice, not \(text)")
      }
      func weight(_ term: String) -> Float { terms.contains(term) ? 1 : 0 }
      loss = PixelLoss(
        crossEntropy: weight(known[0]), dice: weight(known[1]), focal: weight(known[2]))
    }
    guard let text = arguments.string("class-weights") else { return loss }
    guard loss.crossEntropy > 0 else {
      throw UsageError("--class-weights are the cross-entropy's: --loss has to have it")
    }
    if text == "balanced" {
      loss.classWeights = balance.weights
    } else {
      let weights = text.split(separator: ",", omittingEmptySubsequences: false).map { Float($0) ?? -1 }
      guard weights.count == balance.classNames.count, weights.allSatisfy({ 0...1e6 ~= $0 }),
        weights.contains(where: { $0 > 0 })
      else {
        throw UsageError(
          "--class-weights takes balanced, or a number for each of \(balance.classNames.count) classes, not \(text)"
        )
      }
      loss.classWeights = weights
    }
    return loss
  }
}

/// The classes of the pixels of pictures, counted.
private struct PixelSurvey {
  private let names: [String]
  private let preprocessing: Preprocessing
  private var counts: [Int]
  private var ignored = 0
  private(set) var sizes = PictureSizes()

  init(_ names: [String], _ preprocessing: Preprocessing) {
    (self.names, self.preprocessing) = (names, preprocessing)
    counts = names.map { _ in 0 }
  }

  /// Throws ``UnusablePicture`` for a picture without classes, or with others.
  mutating func look(_ picture: AnnotatedPicture) throws(UnusablePicture) {
    guard let map = picture.labelMap else {
      throw UnusablePicture(description: "a picture with objects that have boxes alone, and no masks")
    }
    let found = map.counts
    let last = Int(LabelMap.ignored)
    if let unknown = (names.count..<last).first(where: { found[$0] > 0 }) {
      throw UnusablePicture(
        description: "a picture with label \(unknown) in its mask, of \(names.count) classes")
    }
    try sizes.add(preprocessing.sizes(width: picture.image.width, height: picture.image.height).framed)
    for label in names.indices where label != last { counts[label] += found[label] }
    ignored += found[last]
  }

  var balance: ClassBalance { ClassBalance(counts: counts, classNames: names) }

  /// `background 81.20 %, star 18.80 %; 120 pixels count for no class`
  var shares: String {
    let total = Double(max(counts.reduce(0, +), 1))
    let list = zip(names, counts).map { String(format: "%@ %.2f %%", $0, 100 * Double($1) / total) }
    return list.prefix(24).joined(separator: ", ") + (list.count > 24 ? ", …" : "")
      + (ignored > 0 ? "; \(ignored.grouped) pixels count for no class" : "")
  }
}

/// The pictures of a COCO file as classes of pixels: the background, then the objects' classes.
private struct ObjectPixels: AnnotatedPictures {
  private let base: COCO
  init(_ base: COCO) { self.base = base }
  var count: Int { base.count }
  var classNames: [String] { ["background"] + base.classNames }
  func knownLabel(_ index: Int) -> Int? { nil }

  func picture(_ index: Int) throws -> AnnotatedPicture {
    var picture = try base.picture(index)
    picture.instances = []
    return picture
  }
}
