/// How a picture is changed step by step: numbers that stay the same for a whole run.
public struct StyleTransferOptions: Sendable, Codable, Hashable {
  /// Pixels of the longer side of the result, no more than the content has.
  public var size = 512
  /// Steps at each size.
  public var steps = 150
  /// From the smallest to the largest, each twice the one before: large forms come first, and the sizes after them refine.
  public var sizes = 2
  /// How much the content counts. Losses are in parts of the targets' own size.
  public var contentWeight: Float = 1
  /// How much the style counts.
  public var styleWeight: Float = 50
  /// How much smoothness counts: the mean difference of neighbouring values, 1 being from black to white.
  public var variationWeight: Float = 1
  /// The longer side of the styles in parts of the result's.
  public var styleScale: Float = 1
  /// What is changed at first.
  public var start = Start.content
  /// Which way steps are found.
  public var optimizer = Optimizer.lbfgs
  /// Of the noise.
  public var seed: UInt64 = 0
  /// Whether the content's colours stay, and only brightness takes the style on.
  public var keepsColours = false
  /// Side of the tiles that larger pictures are worked on in, which bounds the memory.
  public var tile = 640

  /// What is changed at first.
  public enum Start: String, Sendable, Codable, CaseIterable {
    /// The content.
    case content
    /// Random grey.
    case noise
    /// The first style, stretched to the content's size.
    case style
  }

  /// Which way steps are found.
  public enum Optimizer: String, Sendable, Codable, CaseIterable {
    /// L-BFGS without a line search, as the authors did: the faster way.
    case lbfgs
    /// Adam, by two of 255 at a step.
    case adam
  }

  /// The defaults, which look good without any care.
  public init() {}
}
