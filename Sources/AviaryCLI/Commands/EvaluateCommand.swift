import Aviary

enum EvaluateCommand: Command {
  static let name = "evaluate"
  static let summary =
    "Measures how well a model does its task on data: accuracy, class by class, of a classifier; nats per picture of an autoencoder; what a classifier says of what a generator makes; nats per token, perplexity and bits per byte of a language model; COCO's numbers of a detector; intersection over union of a segmenter; BLEU of a captioner; the share of texts that a translator gets right."
  static let operands = "MODEL"
  static let options =
    [
      Option.weights, Option.channels, Option.size,
      Option(
        "data", "FOLDER",
        "MNIST's test files or, for a classifier, pictures in folders named as classes that the weights know, or files of CIFAR-10 or CIFAR-100 (.bin, .bin.gz); for an autoencoder, pictures; for a generator, real pictures to compare with; for a language model, a file of text; for a detector, a COCO file of objects or a folder with one (instances.json) and pictures; for a segmenter, pictures; for a captioner, the same of captions (captions.json); for a translator, a file of lines with a text, a tab and its translation"
      ),
      Option("batch", "N", "pictures at a time, by default 64"),
      Option(
        "limit", "N",
        "the first N pictures of an autoencoder's, a detector's, a segmenter's or a captioner's data, or characters of a text"
      ),
      Option("seed", "N", "of the codes that an autoencoder draws, by default 0"), Option.vocabulary,
    ] + DetectorEvaluation.options + SegmenterEvaluation.options + CaptionerEvaluation.options
    + GeneratorEvaluation.options + TextEvaluation.options + [
      Option(
        "report", "FILE",
        "the .html page to write, of a classifier, detector or segmenter: numbers, curves, confusion"),
      Option.exact, Option.eager, Option.precision, Option.json,
    ]
  static let example = "aviary evaluate lenet --data mnist"

  /// The options that are of some tasks only.
  private static func options(of task: ZooTask) -> Set<String> {
    switch task {
    case .classification: ["channels", "size", "batch", "exact", "data", "report"]
    case .generation: GeneratorEvaluation.names.union(["batch", "limit", "seed", "exact"])
    case .language: ["limit", "vocabulary", "data", "stride"]
    case .detection: ["limit", "data", "pictures", "exact", "report"]
    case .segmentation: ["limit", "data", "truth", "exact", "report"]
    case .captioning: ["limit", "data", "pictures", "exact", "beam", "normalize", "vocabulary"]
    case .translation: ["limit", "data", "exact", "beam", "normalize"]
    case .stylization: []
    }
  }

  static func run(_ arguments: Arguments) throws {
    let name = try arguments.operands(1)[0]
    let entry = try Catalogue.selection(name).entry
    let others = Set(ZooTask.allCases.flatMap(options)).subtracting(options(of: entry.task))
    let evaluate: (String, Arguments) throws -> Void
    switch entry.task {
    case .classification: evaluate = ClassifierEvaluation.run
    case .generation: evaluate = AutoencoderEvaluation.run
    case .language: evaluate = TextEvaluation.run
    case .detection: evaluate = DetectorEvaluation.run
    case .segmentation: evaluate = SegmenterEvaluation.run
    case .captioning: evaluate = CaptionerEvaluation.run
    case .translation: evaluate = TranslationEvaluation.run
    case .stylization:
      throw UsageError(
        "\(entry.name) \(entry.task.verb): aviary \(entry.task.command); classifiers, detectors, segmenters, captioners, generators, language models and translators can be evaluated"
      )
    }
    if let option = others.sorted().first(where: arguments.has) {
      throw UsageError("--\(option) goes not with \(entry.name), which \(entry.task.verb)")
    }
    try evaluate(name, arguments)
  }
}
