import AviaryLayers
import AviaryVision
import AviaryWeights

extension UNet.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case channels = "n_channels"
    case classes = "n_classes"
    case width
    case isBilinear = "bilinear"
    case alignsCorners = "align_corners"
    case hasConvolutionBias = "conv_bias"
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    let isBilinear = try entries.flag(CodingKeys.isBilinear.rawValue, missing: false)
    let alignsCorners = try entries.flag(CodingKeys.alignsCorners.rawValue, missing: true)
    self.init(
      channels: try entries.integer(CodingKeys.channels.rawValue, 1...4096, missing: 3),
      classes: try entries.integer(CodingKeys.classes.rawValue, missing: 2),
      width: try entries.integer(CodingKeys.width.rawValue, 1...1024, missing: 64),
      upsampling: isBilinear ? .bilinear(alignsCorners: alignsCorners) : .transposed,
      hasConvolutionBias: try entries.flag(CodingKeys.hasConvolutionBias.rawValue, missing: false))
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(channels, forKey: .channels)
    try container.encode(classes, forKey: .classes)
    try container.encode(width, forKey: .width)
    try container.encode(upsampling != .transposed, forKey: .isBilinear)
    try container.encode(upsampling != .bilinear(alignsCorners: false), forKey: .alignsCorners)
    try container.encode(hasConvolutionBias, forKey: .hasConvolutionBias)
  }

  public static var labelsSetting: String? { CodingKeys.classes.rawValue }

  public func makeNetwork() -> any Network { UNet(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.channels = weights.extent(1, of: "inc.double_conv.0.weight") ?? channels
    result.width = weights.extent(0, of: "inc.double_conv.0.weight") ?? width
    result.classes = weights.extent(0, of: "outc.conv.weight") ?? classes
    result.hasConvolutionBias = weights.spec("inc.double_conv.0.bias") != nil
    return result
  }

  public static var doubtful: [(name: String, values: [JSONValue])] {
    [(CodingKeys.alignsCorners.rawValue, [.bool(true), .bool(false)])]
  }
}

extension UNet: SizedNetwork {
  public func check(_ inputs: NamedTensors) throws(SignatureError) {
    let shape = inputs["image"].shape
    guard shape[2...].contains(where: { $0 < Self.smallestSide }) else { return }
    throw SignatureError(
      name: "image", given: shape.shapeText, expected: "heights and widths from \(Self.smallestSide)")
  }
}

extension UNet {
  static let entries = [
    ZooEntry("unet", .segmentation, [Dialect("milesial", Configuration.unet, binding)]),
    ZooEntry("unet_bilinear", .segmentation, [Dialect("milesial", Configuration.unetBilinear, binding)]),
    ZooEntry("unet_scenes", .segmentation, [Dialect("aviary", Configuration.unetScenes, sceneBinding)]),
  ]

  /// The forms that ``SceneGenerator`` draws, at whatever size the pictures have.
  private static let sceneBinding = TaskBinding(
    preprocessing: .init(), labels: .names(["background"] + SceneShape.allCases.map(\.rawValue)))

  /// Pytorch-UNet's data sets: colours from 0 to 1, at whatever size the pictures have.
  private static let binding = TaskBinding(preprocessing: .init())
}
