import AviaryLayers
import AviaryWeights

extension AdaIN.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey { case level, alpha, decoder, transform }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    level = try entries.integer("level", 1...4, missing: 4)
    alpha = try entries.number("alpha", 0...1, missing: 1)
    transform = try entries.choice("transform", Transform.self, missing: .moments)
    // A file that is named there has become a part of the weights.
    try entries.only("decoder", nil)
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(level, forKey: .level)
    try container.encode(alpha, forKey: .alpha)
    try container.encode(transform.rawValue, forKey: .transform)
    try container.encodeNil(forKey: .decoder)
  }

  public func makeNetwork() -> any Network { AdaIN(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    // The place of each level's last convolution in the decoder, and in the encoder, which may go on behind the end.
    let places = [(4, 28, 29), (3, 15, 16), (2, 8, 9), (1, 1, 2)]
    let found =
      places.first { weights.spec("decoder.\($0.1).weight") != nil }
      ?? places.first { weights.spec("encoder.\($0.2).weight") != nil }
    if let found { result.level = found.0 }
    return result
  }
}

extension AdaIN {
  static let entries = [
    ZooEntry(
      "adain", .stylization,
      [
        Dialect(
          "pytorch", Configuration(),
          TaskBinding(
            preprocessing: .init(),
            parts: [.init(prefix: "encoder."), .init(prefix: "decoder.", setting: "decoder")]),
          // Published encoders go on behind the end.
          leavesOut: { $0.hasPrefix("encoder.") })
      ])
  ]
}

extension AdaIN: SizedNetwork {
  public func check(_ inputs: NamedTensors) throws(SignatureError) {
    guard configuration.transform == .moments else {
      throw SignatureError(
        name: "the setting transform", given: configuration.transform.rawValue,
        expected:
          "adain alone as one network: 'aviary stylize' works covariances out between encoder and decoder")
    }
    for name in ["content", "style"] {
      let shape = inputs[name].shape
      guard shape[2...].contains(where: { $0 < configuration.smallestSide }) else { continue }
      throw SignatureError(
        name: name, given: shape.shapeText,
        expected: "heights and widths from \(configuration.smallestSide)")
    }
  }
}
