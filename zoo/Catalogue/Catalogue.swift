import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// A form in which a model's weights exist: shapes and names may be alike while strides, padding or constants differ.
public struct Dialect: Sendable {
  /// `tv_v1`, `keras_v1`, …: what files of weights say.
  public let name: String
  /// The files (without `.json`) that map other names of these weights to ours; Keras weights always need one.
  public let nameMaps: [String]
  /// The dialect whose network this one shares; only what the weights expect differs then, and no file can tell the two apart. Mostly
  /// ``name``.
  public let network: String
  /// Whether files of these weights may have such a tensor besides, under our names, which the network does without: a classifier behind
  /// the features. It is told, and no obstacle.
  let leavesOut: @Sendable (_ name: String) -> Bool
  let form: Form

  /// How the network is made, and what is bound to its weights.
  enum Form: Sendable {
    case classifier(ClassifierForm)
    case network(Blueprint, TaskBinding)
  }

  init(
    _ name: String, nameMaps: [String] = [], _ preprocessing: Preprocessing, labels: LabelSet = .imagenet,
    network: String? = nil, make: @escaping @Sendable (_ classes: Int) -> any StagedModel
  ) {
    let form = ClassifierForm(preprocessing: preprocessing, labels: labels, make: make)
    self.init(name, nameMaps, network, .classifier(form))
  }

  /// A form of a network that is no classifier.
  init(
    _ name: String, nameMaps: [String] = [], _ configuration: some NetworkConfiguration,
    hasConfigurationFile: Bool = false, tellsAllSettings: Bool = false,
    _ binding: TaskBinding = TaskBinding(),
    leavesOut: @escaping @Sendable (_ name: String) -> Bool = { _ in false }
  ) {
    let blueprint = Blueprint(
      configuration, hasConfigurationFile: hasConfigurationFile, tellsAllSettings: tellsAllSettings)
    self.init(name, nameMaps, nil, .network(blueprint, binding), leavesOut: leavesOut)
  }

  private init(
    _ name: String, _ nameMaps: [String], _ network: String?, _ form: Form,
    leavesOut: @escaping @Sendable (_ name: String) -> Bool = { _ in false }
  ) {
    self.name = name
    self.nameMaps = nameMaps
    self.network = network ?? name
    self.leavesOut = leavesOut
    self.form = form
  }
}

/// What a dialect of a classifier consists of.
struct ClassifierForm: Sendable {
  /// What the weights expect of a picture.
  let preprocessing: Preprocessing
  /// The classes of the published weights.
  let labels: LabelSet
  /// Builds the network for a number of classes.
  let make: @Sendable (_ classes: Int) -> any StagedModel
}

/// What is bound to weights of other tasks, as a portable file says it; a file's own takes its place.
struct TaskBinding: Sendable {
  /// How a picture becomes an input; nil for tasks without pictures.
  var preprocessing: PortableMetadata.Preprocessing?
  /// Names of classes or tokens in the order of the outputs; nil where they belong to the weights and not to the network.
  var labels: BoundLabels?
  /// The numbers of the task, by the names of `PortableFormat.md`.
  var settings: Settings = [:]
  /// Files beside the weights that say more.
  var companions: [CompanionFile] = []
  /// The files that the weights are published in, where they are several.
  var parts: [WeightPart] = []
}

/// One of several files that together hold a network's weights.
struct WeightPart: Sendable {
  /// What our names of its tensors begin with, and theirs do not.
  let prefix: String
  /// The setting that names the file; nil for the one that is loaded.
  var setting: String?
}

extension Dialect {
  /// The same classifier with weights that were trained by another recipe and expect pictures of another size.
  func retrained(_ name: String, _ preprocessing: Preprocessing) -> Dialect {
    let form = ClassifierForm(
      preprocessing: preprocessing, labels: classifier.labels, make: classifier.make)
    return Dialect(name, nameMaps, network, .classifier(form))
  }

  /// C×H×W of what a classifier's preprocessing makes, or else of the card.
  func inputShape(_ card: Card) -> Shape {
    preprocessing.crop.map { [card.input[0], $0, $0] } ?? card.input
  }

  /// Of the dialects of classifiers, which alone have one.
  var classifier: ClassifierForm {
    guard case .classifier(let form) = form else { requirementFailure("\(name) is of no classifier") }
    return form
  }

  /// What the weights of a classifier expect of a picture.
  var preprocessing: Preprocessing { classifier.preprocessing }
  /// The classes of a classifier's published weights.
  var labels: LabelSet { classifier.labels }
  /// A classifier for a number of classes, with first values.
  func make(_ classes: Int) -> any StagedModel { classifier.make(classes) }
}

/// A model of the zoo: a name and the dialects of its weights, the first being the one new models are made in.
public struct ZooEntry: Sendable {
  /// The catalogue's name: `resnet50`.
  public let name: String
  /// What it is for.
  public let task: ZooTask
  /// The forms its weights exist in, the one new models are made in first.
  public let dialects: [Dialect]
  /// The smallest height and width a classifier takes; nil when it takes the card's alone.
  public let smallestSide: Int?

  init(_ name: String, smallestSide: Int? = nil, _ dialects: [Dialect]) {
    self.init(name, .classification, smallestSide: smallestSide, dialects)
  }

  init(_ name: String, _ task: ZooTask, smallestSide: Int? = nil, _ dialects: [Dialect]) {
    self.name = name
    self.task = task
    self.smallestSide = smallestSide
    self.dialects = dialects
  }

  /// What is published about the model; throws a Foundation error when the installation is incomplete.
  public func card() throws -> Card { try Card.named(name) }

  /// A classifier with first values, in the first dialect. Throws ``WrongTask`` for other models.
  public func makeModel(classes: Int? = nil) throws -> any StagedModel {
    try require(.classification)
    return dialects[0].make(try classes ?? card().classes)
  }

  /// Throws ``WrongTask`` when the model is for something else.
  public func require(_ task: ZooTask) throws(WrongTask) {
    if task != self.task { throw WrongTask(model: name, task: self.task) }
  }

  /// The dialect of this name; nil when the model has none.
  public func dialect(named name: String) -> Dialect? { dialects.first { $0.name == name } }

  /// The dialects with networks of their own.
  public var networks: [Dialect] { dialects.filter { $0.network == $0.name } }

  /// The entry with one of its dialects only: for weights that are known to be of that one.
  func only(_ dialect: Dialect) -> ZooEntry { ZooEntry(name, task, smallestSide: smallestSide, [dialect]) }
}

/// All models by name. Lists, tests and the program iterate over it.
public enum Catalogue {
  /// The models of all families, those of one family together.
  public static let entries: [ZooEntry] =
    [
      LeNet.entries, AlexNet.entries, SqueezeNet.entries, VGG.entries, GoogLeNet.entries,
      InceptionV3.entries, Xception.entries, ResNet.entries, ResNetV2.entries, CIFARResNet.entries,
      TinyResNet.entries, TinyDarknet.entries, DenseNet.entries, MobileNet.entries, MobileNetV2.entries,
      MobileNetV3.entries,
      EfficientNet.entries, ConvNeXt.entries, VisionTransformer.entries, Swin.entries,
      UNet.entries, RetinaUNet.entries, BrainUNet.entries, HED.entries, FCN.entries, DETR.entries,
      FasterRCNN.entries,
      RetinaNet.entries, FCOS.entries, SSD.entries, Darknet.entries, YOLO.entries, FastStyle.entries,
      AdaIN.entries,
      Gatys.entries, DenoisingUNet.entries, DiT.entries, VAE.entries, ConvolutionalVAE.entries, DCGAN.entries,
      PerceptronGenerator.entries, ShowAndTell.entries, ShowAttendTell.entries, CharRNN.entries, GPT2.entries,
      RecurrentTranslator.entries,
    ].flatMap(\.self)

  /// The models of one task.
  public static func entries(_ task: ZooTask) -> [ZooEntry] { entries.filter { $0.task == task } }

  /// The name in this catalogue of what papers call `name`: MobileNet v1 without a width is that of width 1.0.
  static func canonicalName(_ name: String) -> String {
    let paper = "mobilenet_v1"
    guard name.hasPrefix(paper), name.dropFirst(paper.count).first.map({ $0 == "." }) ?? true else {
      return name
    }
    return paper + "_1.0" + name.dropFirst(paper.count)
  }

  /// The entry called `name`.
  public static func entry(_ name: String) throws(UnknownModel) -> ZooEntry {
    let name = canonicalName(name)
    if let entry = entries.first(where: { $0.name == name }) { return entry }
    throw UnknownModel(given: name, nearest: nearestName(to: name, in: entries.map(\.name)))
  }
}

/// There is no model of this name.
public struct UnknownModel: Error, CustomStringConvertible, Equatable {
  /// The name that was asked for, in its canonical form.
  public let given: String
  /// A model whose name is like it.
  public let nearest: String?
  public var description: String {
    "there is no model called \(given)" + (nearest.map { "; did you mean \($0)?" } ?? ":")
      + " 'aviary list' shows all"
  }
}
