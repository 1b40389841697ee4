import AviaryLayers
import AviaryWeights

extension VAE.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey { case pixels, hidden, code }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    self.init(
      pixels: try entries.integer("pixels", missing: Self.mnist.pixels),
      hidden: try entries.integer("hidden", missing: Self.mnist.hidden),
      code: try entries.integer("code", missing: Self.mnist.code))
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(pixels, forKey: .pixels)
    try container.encode(hidden, forKey: .hidden)
    try container.encode(code, forKey: .code)
  }

  public func makeNetwork() -> any Network { VAE(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    VAE.Configuration(
      pixels: weights.extent(1, of: "fc1.weight") ?? pixels,
      hidden: weights.extent(0, of: "fc1.weight") ?? hidden,
      code: weights.extent(0, of: "fc21.weight") ?? code)
  }
}

extension VAE {
  static let entries = [
    ZooEntry(
      "vae_mnist", .generation,
      [
        Dialect(
          "pytorch", Configuration.mnist,
          TaskBinding(preprocessing: .init(height: 28, width: 28, channels: .grey)))
      ])
  ]
}
