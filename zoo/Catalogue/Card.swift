import Foundation

/// What is published about a model: its paper, its size, and the sets of weights that exist for it.
///
/// Cards are JSON files beside the models. Tests assert every number in them.
public struct Card: Sendable, Codable, Hashable {
  public var name: String
  public var title: String
  public var family: String
  public var paper: Paper
  /// C×H×W.
  public var input: [Int]
  public var classes: Int
  /// Trained values of the model itself (its torchvision or original form).
  public var parameters: Int
  /// Multiply-adds of one forward pass at ``input``, in units of 10⁹, as published (three decimals).
  public var gigaMultiplyAdds: Double
  public var weights: [Weights]

  public struct Paper: Sendable, Codable, Hashable {
    public var title: String
    public var authors: String
    public var year: Int
    public var arxiv: String?
  }

  /// A published set of weights.
  public struct Weights: Sendable, Codable, Hashable {
    /// The ``Dialect`` the weights belong to.
    public var dialect: String
    public var framework: String
    public var licence: String
    /// What tells the set from others of the same dialect; ``dialect`` when absent.
    public var tag: String?
    /// The published file.
    public var file: String?
    /// Where it is, below the address of its framework (see `Registry/sources.json`) or a whole address; ``file`` when absent.
    public var url: String?
    /// Length of the file.
    public var bytes: Int?
    /// The same to three decimals of 2²⁰ bytes, as torchvision publishes it.
    public var mebibytes: Double?
    /// A digest of the file, as its publisher gives it.
    public var sha256: String?
    public var sha256Prefix: String?
    public var md5: String?
    /// Percent of ImageNet's validation pictures (or of the data set named by ``data``).
    public var top1: Double?
    public var top5: Double?
    public var data: String?
    /// As the framework counts them, running statistics included where it includes them.
    public var parameters: Int?
    /// What the stages return for the picture of `PortableFormat.md`, section 3.1.
    public var stages: [StageStatistics]?
    /// The command that made weights of this project's own.
    public var recipe: String?
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
  case digits
  /// CIFAR-10's classes in its order.
  case cifar10
  /// Whether there is a person in the picture.
  case visualWakeWords

  /// One name per class.
  public func names() throws -> [String] {
    switch self {
    case .digits: (0...9).map(String.init)
    case .cifar10:
      ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    case .visualWakeWords: ["no person", "person"]
    case .imagenet:
      try String(contentsOf: try Resources.url("imagenet", "txt"), encoding: .utf8)
        .split(separator: "\n").map(String.init)
    }
  }
}
