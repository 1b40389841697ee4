import Aviary

enum FinetuneCommand: Command {
  static let name = "finetune"
  static let summary =
    "Teaches a network with trained weights other classes: of pictures, from a folder with one sub-folder per class; of pixels, from pictures and masks; or of objects, from boxes in COCO's or YOLO's format. The last layer becomes new where their number is another, and what is frozen stays as it is. A language model learns another text in the tokens that it knows."
  static let operands = "MODEL"
  static let options =
    [
      Option.weights, Option.classes, Option.channels, Option.size,
      Option(
        "data", "FOLDER",
        "one sub-folder of pictures per class; for segmenters pictures and masks, for detectors pictures and instances.json, or images and labels; or a COCO file; for language models a file of text"
      ),
      Option(
        "freeze", "STAGES",
        "what stays as it is: stages of a classifier, block1...block3, or names and patterns with commas, backbone.*,*.bn1"
      ),
      Option("epochs", "N", "by default 5"),
      Option("batch", "N", "pictures or texts per step, by default 16; 8 for segmenters, 4 for detectors"),
      Option("validation", "SHARE", "of the pictures, by default 0.2; of a text, from its end, 0.1"),
      Option("seed", "N", "by default 0"),
      Option("output", "FILE", "the portable file to write: the best epoch's weights"),
      Option(
        "from-scratch", nil, "begin with first values instead of weights: what fine-tuning is compared with"),
      Option("unfreeze", "STAGES", "what learns although --freeze covers it"),
      Option("unfreeze-at", "EPOCH=STAGES", "what learns from an epoch on; may be given several times"),
      Option(
        "augment", "flip|crop|randaugment",
        "vary the pictures: mirrored; also cut and resized at random; also changed by RandAugment"),
      Option(
        "sanity", nil, "check only: is the first loss that of guessing, can one small batch be learned?"),
      Option(
        "find-learning-rate", nil, "only try growing learning rates and say where the loss falls fastest"),
    ] + ClassifierFinetuning.options + NetworkFinetuning.options + LanguageFinetuning.options
    + Optimisation.options
    + TrainingOptions.options + [Option.json]
  static let example =
    "aviary finetune vgg19 --weights vgg19.h5 --data flowers --freeze block1...block3 --head 256,5 --output flowers.safetensors"

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let entry = try Catalogue.selection(name).entry
    if entry.task != .language,
      let option = LanguageFinetuning.options.map(\.name).first(where: arguments.has)
    {
      throw UsageError("--\(option) is for language models: it goes not with \(name)")
    }
    switch entry.task {
    case .classification: try ClassifierFinetuning.run(name, arguments)
    case .segmentation: try SegmenterFinetuning.run(name, arguments)
    case .detection: try DetectorFinetuning.run(name, arguments)
    case .language: try LanguageFinetuning.run(name, arguments)
    case .captioning, .generation, .stylization, .translation:
      throw UsageError(
        "\(entry.name) \(entry.task.verb): finetune teaches classifiers, segmenters, detectors and language models"
      )
    }
  }

  /// `3=block4...block5`: what learns from an epoch on.
  static func unfreezing(_ texts: [String]) throws -> [(epoch: Int, stages: String)] {
    try texts.map { text in
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, let epoch = Int(parts[0]), epoch > 1 else {
        throw UsageError(
          "--unfreeze-at takes an epoch from 2 and stages, such as 3=block4...block5, not \(text)")
      }
      return (epoch, parts[1])
    }
  }

  /// What `--augment` asks for; nil when it was not given.
  ///
  /// - Parameter crop: what `crop` does.
  static func augmentation(
    _ arguments: Arguments, crop: RandomResizedCrop
  ) throws -> Augmentation? {
    let flip = Augmentation.horizontalFlip(probability: 0.5)
    switch arguments.string("augment") {
    case nil: return nil
    case "flip": return flip
    case "crop": return .sequence([.resizedCrop(crop), flip])
    case "randaugment": return .sequence([.resizedCrop(crop), flip, .randAugment(RandAugment())])
    case let other?: throw UsageError("--augment takes flip, crop or randaugment, not \(other)")
    }
  }
}
