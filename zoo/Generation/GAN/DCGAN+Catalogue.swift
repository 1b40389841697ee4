import AviaryLayers
import AviaryWeights

/// The sizes of a DCGAN, by the names of PyTorch's tutorial.
public struct DCGANConfiguration: Sendable, Hashable {
  /// `nz`: channels of the noise.
  public var noise = 100
  /// `ngf`: channels of the generator's last features.
  public var generatorWidth = 64
  /// `ndf`: channels of the discriminator's first features.
  public var discriminatorWidth = 64
  /// `nc`: channels of pictures.
  public var channels = 3
  /// `image_size`: height and width of pictures, a power of two from 16 on.
  public var imageSize = 64
  /// `num_classes`: classes of pictures that are told apart; 0 for none.
  public var classes = 0
  /// `norm`: whether the discriminator normalizes batches, which a critic of WGAN-GP must not.
  public var isNormalized = true

  /// PyTorch's tutorial: 64×64 pictures in colours.
  public static let tutorial = DCGANConfiguration()

  /// Grey digits by class, 32×32.
  public static let digits = {
    var sizes = DCGANConfiguration()
    (sizes.noise, sizes.generatorWidth, sizes.discriminatorWidth) = (64, 32, 16)
    (sizes.channels, sizes.imageSize, sizes.classes) = (1, 32, 10)
    return sizes
  }()

  /// The tutorial's, ready to be changed.
  public init() {}

  /// How often height and width are doubled from 4×4 on, with the first step to it; half as often as they are halved.
  var doublings: Int { imageSize.trailingZeroBitCount - 2 }
}

extension DCGANConfiguration: Codable {
  private enum CodingKeys: String, CodingKey {
    case nz, ngf, ndf, nc
    case imageSize = "image_size"
    case classes = "num_classes"
    case norm
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    noise = try entries.integer("nz", 1...65_536, missing: noise)
    generatorWidth = try entries.integer("ngf", 1...4096, missing: generatorWidth)
    discriminatorWidth = try entries.integer("ndf", 1...4096, missing: discriminatorWidth)
    channels = try entries.integer("nc", 1...4096, missing: channels)
    imageSize = try entries.integer("image_size", 16...1024, missing: imageSize)
    classes = try entries.integer("num_classes", 0...1000, missing: classes)
    isNormalized = try entries.choice("norm", ["batch": true, "none": false], missing: isNormalized)
    try entries.finish()
    guard imageSize & (imageSize - 1) == 0 else {
      throw ConfigurationError(
        entry: "image_size", given: "\(imageSize)", expected: "a power of two from 16 to 1024")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(noise, forKey: .nz)
    try container.encode(generatorWidth, forKey: .ngf)
    try container.encode(discriminatorWidth, forKey: .ndf)
    try container.encode(channels, forKey: .nc)
    try container.encode(imageSize, forKey: .imageSize)
    try container.encode(classes, forKey: .classes)
    try container.encode(isNormalized ? "batch" : "none", forKey: .norm)
  }
}

/// The settings of a generator.
struct DCGANGeneratorConfiguration: NetworkConfiguration {
  var sizes = DCGANConfiguration.tutorial

  init(_ sizes: DCGANConfiguration = .tutorial) { self.sizes = sizes }
  init(from decoder: any Decoder) throws { sizes = try DCGANConfiguration(from: decoder) }
  func encode(to encoder: any Encoder) throws { try sizes.encode(to: encoder) }

  func makeNetwork() -> any Network { DCGANGenerator(sizes) }

  func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    // Each step has a convolution, a normalization and an activation; the last one has no normalization.
    let steps = (2...8).first {
      weights.spec("main.\(3 * $0).weight")?.shape.count == 4
        && weights.spec("main.\(3 * $0 + 1).weight") == nil
    }
    guard let steps, let inputs = weights.extent(0, of: "main.0.weight"), inputs > sizes.classes,
      let channels = weights.extent(1, of: "main.\(3 * steps).weight"),
      let width = weights.extent(0, of: "main.\(3 * steps).weight")
    else { return self }
    result.sizes.imageSize = 4 << steps
    result.sizes.noise = inputs - sizes.classes
    (result.sizes.channels, result.sizes.generatorWidth) = (channels, width)
    return result
  }
}

/// The settings of a discriminator.
struct DCGANDiscriminatorConfiguration: NetworkConfiguration {
  var sizes = DCGANConfiguration.tutorial

  init() {}
  init(from decoder: any Decoder) throws { sizes = try DCGANConfiguration(from: decoder) }
  func encode(to encoder: any Encoder) throws { try sizes.encode(to: encoder) }

  func makeNetwork() -> any Network { DCGANDiscriminator(sizes) }

  func adopting(_ weights: WeightArchive) -> Self {
    guard let width = weights.extent(0, of: "main.0.weight"),
      let inputs = weights.extent(1, of: "main.0.weight"), inputs > sizes.classes
    else { return self }
    var result = self
    result.sizes.isNormalized = weights.spec("main.3.running_mean") != nil
    // The last convolution comes after as many steps as halve the picture to 4×4.
    let stride = result.sizes.isNormalized ? 3 : 2
    let steps = (2...8).first { weights.extent(0, of: "main.\(stride * $0 - (stride - 2)).weight") == 1 }
    guard let steps else { return self }
    result.sizes.imageSize = 4 << steps
    (result.sizes.channels, result.sizes.discriminatorWidth) = (inputs - sizes.classes, width)
    return result
  }
}

/// The entries of DCGAN's two networks.
enum DCGAN {
  static let entries = [
    ZooEntry("dcgan_generator", .generation, [Dialect("pytorch", DCGANGeneratorConfiguration())]),
    ZooEntry(
      "dcgan_mnist", .generation,
      [Dialect("pytorch", DCGANGeneratorConfiguration(.digits), TaskBinding(labels: .set(.digits)))]),
    ZooEntry("dcgan_discriminator", .generation, [Dialect("pytorch", DCGANDiscriminatorConfiguration())]),
  ]
}
