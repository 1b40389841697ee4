import AviaryLayers
import AviaryTensors
import AviaryWeights

/// A generator of three linear layers (Goodfellow et al. 2014), as tutorials train one on MNIST.
///
/// `z` N×64 to `out` N×784, from −1 to 1. Names as those of a sequence of linear layers and activations: 0, 2, 4.
public final class PerceptronGenerator: Network, Container {
  /// Linear layers with ReLU between them, and tanh after the last.
  public let layers: Sequential
  /// What the network was built from.
  public let configuration: Configuration

  /// The widths of the layers.
  public struct Configuration: Sendable, Hashable {
    /// Width of the noise.
    public var noise = 64
    /// Units of both hidden layers.
    public var hidden = 256
    /// Values of a picture.
    public var pixels = 784

    /// Digits of 28×28 pixels.
    public static let mnist = Configuration()
  }

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration = .mnist) {
    self.configuration = configuration
    layers = Sequential(
      Linear(configuration.noise, configuration.hidden), Activate(.relu),
      Linear(configuration.hidden, configuration.hidden), Activate(.relu),
      Linear(configuration.hidden, configuration.pixels), Activate(.tanh))
  }

  public var namedChildren: [(name: String, module: any Module)] { layers.namedChildren }

  /// `z` to `out`.
  public var signature: Signature {
    Signature(
      inputs: [TensorPort("z", ["N", .fixed(configuration.noise)])],
      outputs: [TensorPort("out", ["N", .fixed(configuration.pixels)])])
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors { ["out": layers(inputs["z"])] }
}

extension PerceptronGenerator.Configuration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey { case noise, hidden, pixels }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    var entries = try ConfigurationEntries(from: decoder)
    noise = try entries.integer("noise", missing: noise)
    hidden = try entries.integer("hidden", 1...65_536, missing: hidden)
    pixels = try entries.integer("pixels", missing: pixels)
    try entries.finish()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(noise, forKey: .noise)
    try container.encode(hidden, forKey: .hidden)
    try container.encode(pixels, forKey: .pixels)
  }

  public func makeNetwork() -> any Network { PerceptronGenerator(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.noise = weights.extent(1, of: "0.weight") ?? noise
    result.hidden = weights.extent(0, of: "0.weight") ?? hidden
    result.pixels = weights.extent(0, of: "4.weight") ?? pixels
    return result
  }
}

extension PerceptronGenerator: GenerativeNetwork {
  /// Square grey pictures.
  func pictureMaker(
    _ metadata: PortableMetadata, named name: String
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker {
    let configuration = configuration
    let side = Int(Double(configuration.pixels).squareRoot().rounded())
    guard side * side == configuration.pixels else {
      throw UnsuitableGenerator(
        model: name, reason: "makes \(configuration.pixels) values, which are no square picture")
    }
    return {
      GeneratedPictures(
        name: name, latentShape: [configuration.noise], pictureShape: [1, side, side], classCount: nil,
        network: $0)
    }
  }
}

extension PerceptronGenerator {
  static let entries = [
    ZooEntry("gan_mlp_mnist", .generation, [Dialect("pytorch", Configuration.mnist)])
  ]
}
