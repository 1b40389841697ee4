import AviaryLayers
import AviaryWeights

extension BrainUNet.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case channels = "in_channels"
    case outputs = "out_channels"
    case width = "init_features"
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    channels = try entries.integer(CodingKeys.channels.rawValue, 1...4096, missing: channels)
    outputs = try entries.integer(CodingKeys.outputs.rawValue, missing: outputs)
    width = try entries.integer(CodingKeys.width.rawValue, 1...1024, missing: width)
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(channels, forKey: .channels)
    try container.encode(outputs, forKey: .outputs)
    try container.encode(width, forKey: .width)
  }

  public static var labelsSetting: String? { CodingKeys.outputs.rawValue }

  public func makeNetwork() -> any Network { BrainUNet(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.channels = weights.extent(1, of: "encoder1.enc1conv1.weight") ?? channels
    result.width = weights.extent(0, of: "encoder1.enc1conv1.weight") ?? width
    result.outputs = weights.extent(0, of: "conv.weight") ?? outputs
    return result
  }
}

extension BrainUNet {
  /// Each picture by its own mean and deviation, as torch hub's page asks for and as the reference learned from volumes. That page's example
  /// subtracts numbers of 0 to 255 from values of 0 to 1, which is no normalisation.
  static let entries = [
    ZooEntry(
      "unet_brain", .segmentation,
      [
        Dialect(
          "mateuszbuda", Configuration.brain,
          TaskBinding(
            preprocessing: .init(height: 256, width: 256, statistics: "picture"),
            labels: ["background", "abnormality"], settings: ["size_multiple": .integer(granularity)]))
      ])
  ]
}

extension BrainUNet: SizedNetwork {
  public func check(_ inputs: NamedTensors) throws(SignatureError) {
    let shape = inputs["image"].shape
    guard shape[2...].contains(where: { $0 % Self.granularity != 0 }) else { return }
    throw SignatureError(
      name: "image", given: shape.shapeText, expected: "multiples of \(Self.granularity) as height and width")
  }
}

extension BrainUNet: SupervisedSegmenter {
  /// The Dice loss of the tumour over a whole batch, and nothing else.
  public var pixelLoss: PixelLoss { PixelLoss(crossEntropy: 0, dice: 1) }
}
