import AviaryLayers
import AviaryWeights

extension RetinaUNet {
  /// There is one network of this form only: nothing can be set.
  public struct Configuration: NetworkConfiguration, Hashable {
    init() {}

    /// Throws ``ConfigurationError`` for any setting.
    public init(from decoder: any Decoder) throws { try ConfigurationEntries(from: decoder).finish() }
    public func encode(to encoder: any Encoder) throws { try [String: JSONValue]().encode(to: encoder) }
    public func makeNetwork() -> any Network { RetinaUNet() }
    public func adopting(_ weights: WeightArchive) -> Self { self }
  }

  static let entries = [
    ZooEntry(
      "unet_drive", .segmentation,
      [
        Dialect(
          "orobix", nameMaps: ["keras1_unet_drive"], Configuration(),
          TaskBinding(
            preprocessing: .init(channels: .grey), labels: ["background", "vessel"],
            settings: ["size_multiple": .integer(granularity)]))
      ])
  ]
}

extension RetinaUNet: SizedNetwork {
  public func check(_ inputs: NamedTensors) throws(SignatureError) {
    let shape = inputs["image"].shape
    guard shape[2...].contains(where: { $0 % Self.granularity != 0 }) else { return }
    throw SignatureError(
      name: "image", given: shape.shapeText, expected: "multiples of \(Self.granularity) as height and width")
  }
}
