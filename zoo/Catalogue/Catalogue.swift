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
  /// What the weights expect of a picture.
  public let preprocessing: Preprocessing
  /// The classes of the published weights.
  public let labels: LabelSet
  /// The dialect whose network this one shares; only ``preprocessing`` differs then, and no file can tell the two apart. Mostly ``name``.
  public let network: String
  /// Builds the network for a number of classes.
  public let make: @Sendable (_ classes: Int) -> any StagedModel

  init(
    _ name: String, nameMaps: [String] = [], _ preprocessing: Preprocessing, labels: LabelSet = .imagenet,
    network: String? = nil, make: @escaping @Sendable (_ classes: Int) -> any StagedModel
  ) {
    self.name = name
    self.network = network ?? name
    self.nameMaps = nameMaps
    self.preprocessing = preprocessing
    self.labels = labels
    self.make = make
  }
}

extension Dialect {
  /// The same network with weights that were trained by another recipe and expect pictures of another size.
  func retrained(_ name: String, _ preprocessing: Preprocessing) -> Dialect {
    Dialect(name, nameMaps: nameMaps, preprocessing, labels: labels, network: network, make: make)
  }

  /// C×H×W of what the preprocessing makes, or else of the card.
  func inputShape(_ card: Card) -> Shape {
    preprocessing.crop.map { [card.input[0], $0, $0] } ?? card.input
  }
}

/// A model of the zoo: a name and the dialects of its weights, the first being the one new models are made in.
public struct ZooEntry: Sendable {
  /// The catalogue's name: `resnet50`.
  public let name: String
  /// The forms its weights exist in, the one new models are made in first.
  public let dialects: [Dialect]
  /// The smallest height and width the network takes; nil when it takes the card's alone.
  public let smallestSide: Int?

  init(_ name: String, smallestSide: Int? = nil, _ dialects: [Dialect]) {
    self.name = name
    self.smallestSide = smallestSide
    self.dialects = dialects
  }

  /// What is published about the model; throws a Foundation error when the installation is incomplete.
  public func card() throws -> Card { try Card.named(name) }

  /// A network with first values, in the first dialect.
  public func makeModel(classes: Int? = nil) throws -> any StagedModel {
    dialects[0].make(try classes ?? card().classes)
  }

  /// The dialect of this name; nil when the model has none.
  public func dialect(named name: String) -> Dialect? { dialects.first { $0.name == name } }

  /// The dialects with networks of their own.
  public var networks: [Dialect] { dialects.filter { $0.network == $0.name } }

  /// The entry with one of its dialects only: for weights that are known to be of that one.
  func only(_ dialect: Dialect) -> ZooEntry { ZooEntry(name, smallestSide: smallestSide, [dialect]) }
}

/// All models by name. Lists, tests and the program iterate over it.
public enum Catalogue {
  /// The models of all families, those of one family together.
  public static let entries: [ZooEntry] =
    [
      LeNet.entries, AlexNet.entries, SqueezeNet.entries, VGG.entries, GoogLeNet.entries,
      InceptionV3.entries, Xception.entries, ResNet.entries, ResNetV2.entries, CIFARResNet.entries,
      TinyResNet.entries, DenseNet.entries, MobileNet.entries, MobileNetV2.entries, MobileNetV3.entries,
      EfficientNet.entries, ConvNeXt.entries, VisionTransformer.entries, Swin.entries,
    ].flatMap(\.self)

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
