import AviaryLayers
import AviaryTensors

/// Any network that darknet describes in a `.cfg`: YOLO v1 to v4 and their kin (Redmon, Divvala, Girshick & Farhadi 2016, arXiv:1506.02640;
/// Redmon & Farhadi 2017, arXiv:1612.08242, and 2018, arXiv:1804.02767; Bochkovskiy, Wang & Liao 2020, arXiv:2004.10934).
///
/// A list of layers, each of which reads the one before or those that it names. Darknet files have no names; ours are the layers' numbers, as
/// darknet counts and prints them: `layers.3.conv.weight`.
public final class Darknet: Network {
  /// What a network is made from.
  public struct Configuration: Sendable, Hashable {
    /// The text of the `.cfg`.
    public var cfg: String
    /// Whose rules it was written for.
    public var fork: DarknetFork

    /// A network by the text of its `.cfg`.
    public init(cfg: String, fork: DarknetFork = .alexeyab) {
      self.cfg = cfg
      self.fork = fork
    }
  }

  let layers: [any DarknetLayer]
  let configuration: Configuration
  /// C×H×W of the picture.
  let input: DarknetShape
  /// Whether pictures keep their proportions, with grey beside them, or are stretched.
  let keepsProportions: Bool
  /// The layers after which each layer's result is of no use any more.
  private let lastUses: [Int]

  /// ε of AlexeyAB's batch normalization, and of pjreddie's while training on a GPU.
  static let epsilon: Float = 1e-5

  /// A network with first values.
  ///
  /// - Throws: ``ConfigurationError`` that names the line of the `.cfg` and what is wrong there.
  public init(_ configuration: Configuration) throws(ConfigurationError) {
    let builder = try DarknetBuilder(
      try DarknetSection.sections(of: configuration.cfg), configuration.fork)
    self.configuration = configuration
    layers = builder.layers
    input = builder.input
    keepsProportions = builder.keepsProportions ?? (configuration.fork == .pjreddie)
    var lastUses = Array(layers.indices)
    for (number, layer) in layers.enumerated() {
      for source in layer.sources where source >= 0 { lastUses[source] = number }
    }
    self.lastUses = lastUses
  }

  /// The layers that find objects, in order.
  var heads: [(number: Int, head: DarknetHead)] {
    layers.enumerated().compactMap { number, layer in (layer as? DarknetHead).map { (number, $0) } }
  }

  /// `images` to `predictions` where there are heads, to `output` of the last layer otherwise.
  public var signature: Signature {
    let heads = heads
    let last = layers[layers.count - 1].shape
    let output =
      heads.isEmpty
      ? TensorPort("output", ["N", .fixed(last.channels), .fixed(last.height), .fixed(last.width)])
      : TensorPort(
        "predictions",
        [
          "N", .fixed(heads.reduce(0) { $0 + $1.head.rowCount }), .fixed(5 + heads[0].head.classes),
        ])
    return Signature(
      inputs: [
        TensorPort("images", ["N", .fixed(input.channels), .fixed(input.height), .fixed(input.width)])
      ], outputs: [output])
  }

  /// `predictions` N×boxes×(5 + classes): of each head in turn and each of its cells in turn the boxes, as centre x, centre y, width and
  /// height in shares of the network's picture, the certainty of an object, and that of each class if there is one.
  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let heads = heads
    let results = results(of: heads.isEmpty ? [layers.count - 1] : heads.map(\.number), inputs["images"])
    if heads.isEmpty { return ["output": results[0]] }
    let boxes = zip(heads, results).map { $0.head.decoded($1) }
    return ["predictions": boxes.count == 1 ? boxes[0] : concatenate(boxes, axis: 1)]
  }

  /// What some of the layers give, by their numbers in rising order, for pictures N×C×H×W with values from 0 to 1.
  func results(of wanted: [Int], _ images: Tensor) -> [Tensor] {
    var results: [Tensor?] = []
    for (number, layer) in layers.enumerated() {
      results.append(layer(layer.sources.map { $0 < 0 ? images : results[$0]! }))
      // What nobody reads any more makes room.
      for source in layer.sources where source >= 0 && lastUses[source] == number && !wanted.contains(source)
      {
        results[source] = nil
      }
    }
    return wanted.map { results[$0]! }
  }
}

/// The two lines of darknet, whose rules differ.
public enum DarknetFork: String, Sendable, Codable, CaseIterable {
  /// Joseph Redmon's, of YOLO v1 to v3: pictures keep their proportions.
  case pjreddie
  /// Alexey Bochkovskiy's, of YOLO v4, YOLO-Fastest and all that came later: pictures are stretched unless the `.cfg` says otherwise.
  case alexeyab
}
