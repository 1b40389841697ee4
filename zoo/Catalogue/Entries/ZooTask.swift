/// What a network is for, which decides the type that users hold and the command that they call.
public enum ZooTask: String, Sendable, Codable, CaseIterable {
  /// From a picture to the likeliest classes.
  case classification
  /// From a picture to the class of each pixel.
  case segmentation
  /// From a picture to boxes around the objects in it.
  case detection
  /// From a picture to the same in the manner of another.
  case stylization
  /// From random numbers to pictures.
  case generation
  /// From a picture to a sentence about it.
  case captioning
  /// From the beginning of a text to what follows.
  case language
  /// From a text to the same said otherwise.
  case translation

  /// The program's command.
  public var command: String {
    switch self {
    case .classification: "predict"
    case .segmentation: "segment"
    case .detection: "detect"
    case .stylization: "stylize"
    case .generation: "sample"
    case .captioning: "caption"
    case .language: "write"
    case .translation: "translate"
    }
  }

  /// What such a network does: `classifies`.
  public var verb: String {
    switch self {
    case .classification: "classifies"
    case .segmentation: "segments"
    case .detection: "detects"
    case .stylization: "stylizes"
    case .generation: "generates"
    case .captioning: "captions"
    case .language: "writes"
    case .translation: "translates"
    }
  }
}

/// A network was asked for what it is not for.
public struct WrongTask: Error, Equatable, CustomStringConvertible {
  /// The catalogue's name of the network.
  public let model: String
  /// What it is for.
  public let task: ZooTask
  public var description: String { "\(model) \(task.verb): aviary \(task.command)" }
}
