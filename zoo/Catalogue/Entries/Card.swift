import Foundation

/// What is published about a model: its paper, its size, and the sets of weights that exist for it.
///
/// Cards are JSON files beside the models. Tests assert every number in them.
public struct Card: Sendable, Codable, Hashable {
  /// The catalogue's name: `resnet50`.
  public var name: String
  /// The name as people write it: `ResNet-50`.
  public var title: String
  /// The models that it belongs to.
  public var family: String
  /// Where the model was first described.
  public var paper: Paper
  /// The shape of the first input without its batch: C×H×W of a picture, T of a text.
  public var input: [Int]
  /// Outputs for a picture, a pixel, an object or a place in a text, as the published weights have them; 0 where there are no classes.
  public var classes: Int
  /// Trained values of the model itself (its torchvision or original form).
  public var parameters: Int
  /// Multiply-adds of one forward pass at ``input``, in units of 10⁹, as published (three decimals, more for less than a million).
  public var gigaMultiplyAdds: Double
  /// The sets of weights that exist for it, the preferred one first.
  public var weights: [Weights]

  /// The paper of a model.
  public struct Paper: Sendable, Codable, Hashable {
    /// Its whole title.
    public var title: String
    /// Its authors in its order.
    public var authors: String
    /// The year it was published in.
    public var year: Int
    /// Its number at arXiv, without a prefix; nil where it is not there.
    public var arxiv: String?
  }

  /// A published set of weights.
  public struct Weights: Sendable, Codable, Hashable {
    /// The ``Dialect`` the weights belong to.
    public var dialect: String
    /// Who publishes the set: `torchvision`, `keras`, … (see `Registry/sources.json`); `aviary` for what comes with the zoo.
    public var framework: String
    /// The terms that the weights are published under.
    public var licence: String
    /// What tells the set from others of the same dialect; ``dialect`` when absent.
    public var tag: String?
    /// The published file.
    public var file: String?
    /// Where it is, below the address of its framework (see `Registry/sources.json`) or a whole address; ``file`` when absent.
    public var url: String?
    /// Files that lie beside it and belong to it: a vocabulary, say.
    public var companions: [Companion]?
    /// Length of the file.
    public var bytes: Int?
    /// The same to three decimals of 2²⁰ bytes, as torchvision publishes it.
    public var mebibytes: Double?
    /// A digest of the file, as its publisher gives it.
    public var sha256: String?
    /// The first hexadecimal digits of the SHA-256, where that is all that is published: torchvision puts them in names.
    public var sha256Prefix: String?
    /// The MD5, which Keras publishes.
    public var md5: String?
    /// Percent of ImageNet's validation pictures (or of the data set named by ``data``).
    public var top1: Double?
    /// As ``top1``, for the right class among the five likeliest.
    public var top5: Double?
    /// Other published or measured numbers, by the names of the field: `ap` in percent, `fid`, `dice`.
    public var metrics: [String: Double]?
    /// The data set that the numbers were measured on; ImageNet where absent.
    public var data: String?
    /// As the framework counts them, running statistics included where it includes them.
    public var parameters: Int?
    /// What the stages return for the picture of `PortableFormat.md`, section 3.1.
    package var stages: [StageStatistics]?
    /// The command that made weights of this project's own.
    public var recipe: String?
    /// How long that took, and on what.
    public var trainingTime: String?
  }

  /// A file that belongs to published weights, in the same folder as theirs.
  public struct Companion: Sendable, Codable, Hashable {
    /// Its name.
    public var file: String
    /// Its length, where it is known.
    public var bytes: Int?
    /// Its digest; nil where none is published.
    public var sha256: String?
  }

  /// The card of a model.
  static func named(_ name: String) throws -> Card {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Card.self, from: Data(contentsOf: try Resources.url(name, "json")))
  }
}

/// The files that come with the zoo.
enum Resources {
  /// Where a file lies; throws a Foundation error when the installation is incomplete.
  static func url(_ name: String, _ suffix: String) throws -> URL {
    guard let url = Bundle.module.url(forResource: name, withExtension: suffix) else {
      throw CocoaError(.fileNoSuchFile, userInfo: [NSFilePathErrorKey: "\(name).\(suffix)"])
    }
    return url
  }
}

/// The names of a data set's classes.
public enum LabelSet: String, Sendable, Codable {
  /// ImageNet's 1000 classes in the order of their WordNet numbers.
  case imagenet
  /// The same in the order in which darknet counts them.
  case imagenetDarknet
  /// The ten digits, 0 first.
  case digits
  /// CIFAR-10's classes in its order.
  case cifar10
  /// Whether there is a person in the picture.
  case visualWakeWords
  /// COCO's 80 classes under their numbers from 1 to 90, those of no class being "N/A".
  case coco
  /// The same one after another, without numbers of no class, as YOLO counts them.
  case cocoClasses

  /// One name per class.
  public func names() throws -> [String] {
    switch self {
    case .digits: (0...9).map(String.init)
    case .cifar10:
      ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    case .visualWakeWords: ["no person", "person"]
    case .imagenetDarknet: try Self.imagenetByDarknet()
    case .cocoClasses: try LabelSet.coco.names().filter { $0 != "N/A" }
    case .imagenet, .coco:
      try Self.lines(rawValue)
    }
  }

  private static func lines(_ name: String) throws -> [String] {
    try String(contentsOf: try Resources.url(name, "txt"), encoding: .utf8)
      .split(separator: "\n").map(String.init)
  }

  /// Darknet's order is one of WordNet's numbers, which ours begin with where they have their long names.
  private static func imagenetByDarknet() throws -> [String] {
    let numbers = try lines("imagenet_synsets").map { String($0.prefix { $0 != " " }) }
    let names = Dictionary(zip(numbers, try LabelSet.imagenet.names()), uniquingKeysWith: { $1 })
    return try lines("imagenet_darknet").map { names[$0] ?? $0 }
  }
}
