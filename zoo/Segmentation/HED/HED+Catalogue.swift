import AviaryLayers
import AviaryWeights

extension HED {
  /// There is one network of this form only: nothing can be set.
  public struct Configuration: NetworkConfiguration, Hashable {
    init() {}

    /// Throws ``ConfigurationError`` for any setting.
    public init(from decoder: any Decoder) throws { try ConfigurationEntries(from: decoder).finish() }
    public func encode(to encoder: any Encoder) throws { try [String: JSONValue]().encode(to: encoder) }
    public func makeNetwork() -> any Network { HED() }
    public func adopting(_ weights: WeightArchive) -> Self { self }
  }

  /// Blue, green and red from 0 to 255 minus their means, as Caffe has them.
  static let preprocessing = PortableMetadata.Preprocessing(
    channels: .bgr, range: 0...255, mean: [104.00699, 116.66877, 122.67892])

  static let entries = [
    ZooEntry(
      "hed", .segmentation,
      [
        Dialect(
          "keras", nameMaps: ["keras_hed"], Configuration(),
          TaskBinding(preprocessing: preprocessing, labels: ["no edge", "edge"]))
      ])
  ]
}

extension HED: SupervisedSegmenter {
  /// Class-balanced cross-entropy: edges are few.
  public var pixelLoss: PixelLoss { PixelLoss(crossEntropy: 0, balanced: 1) }
  /// Each of the five opinions learns as much as what they say together (section 2.2, "deep supervision", with all weights 1).
  public var supervisedOutputs: [String: Float] {
    Dictionary(uniqueKeysWithValues: (1...5).map { ("side\($0)", 1) })
  }
}
