import AviaryTensors

/// Texts to translate and what they become, as a network's words or characters are made of them later.
public struct TextPairBatch: Sendable {
  /// What is translated.
  public let sources: [String]
  /// What each becomes.
  public let targets: [String]

  /// As many sources as targets.
  public init(sources: [String], targets: [String]) {
    require(sources.count == targets.count, "\(sources.count) texts with \(targets.count) translations")
    (self.sources, self.targets) = (sources, targets)
  }
}
