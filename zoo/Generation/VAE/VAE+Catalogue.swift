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

extension ConvolutionalVAE.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey { case channels, size, width, code }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    channels = try entries.integer("channels", 1...4096, missing: channels)
    size = try entries.integer("size", 4...1024, missing: size)
    width = try entries.integer("width", 1...4096, missing: width)
    code = try entries.integer("code", missing: code)
    try entries.finish()
    guard size % 4 == 0 else {
      throw ConfigurationError(entry: "size", given: "\(size)", expected: "a multiple of 4")
    }
    guard featureShape.elementCount <= ConfigurationEntries.largest else {
      throw ConfigurationError(
        entry: "width", given: "\(width)",
        expected: "at most \(ConfigurationEntries.largest) features before the code")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(channels, forKey: .channels)
    try container.encode(size, forKey: .size)
    try container.encode(width, forKey: .width)
    try container.encode(code, forKey: .code)
  }

  public func makeNetwork() -> any Network { ConvolutionalVAE(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.channels = weights.extent(1, of: "encoder_convs.0.weight") ?? channels
    result.width = weights.extent(0, of: "encoder_convs.0.weight") ?? width
    result.code = weights.extent(0, of: "to_mean.weight") ?? code
    if let features = weights.extent(1, of: "to_mean.weight"), features % (2 * result.width) == 0 {
      let side = Int(Double(features / (2 * result.width)).squareRoot())
      if side * side * 2 * result.width == features, side > 0, side <= 256 { result.size = 4 * side }
    }
    return result
  }
}

extension ConvolutionalVAE {
  static let entries = [
    ZooEntry(
      "conv_vae_mnist", .generation,
      [
        Dialect(
          "aviary", Configuration.mnist,
          TaskBinding(preprocessing: .init(height: 28, width: 28, channels: .grey)))
      ])
  ]
}
