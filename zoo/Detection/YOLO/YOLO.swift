import AviaryLayers
import AviaryTensors

/// YOLO v5 and v8 (Jocher et al. 2020 and 2023; there is no paper, the reference is ultralytics' program, whose names these are).
///
/// Features at strides of 8, 16 and 32, which a pyramid joins from the top down and from the bottom up again (Liu et al. 2018,
/// arXiv:1803.01534); and a head that says for each place of the three maps what is there. v5 refines three anchors for each place; v8
/// needs none.
public final class YOLO: Network {
  /// The blocks of the body.
  public enum Body: String, Sendable, Codable, CaseIterable {
    /// YOLO v5's (version 6 of its architecture).
    case v5
    /// YOLO v8's.
    case v8
  }

  /// How the head tells boxes.
  public enum Head: String, Sendable, Codable, CaseIterable {
    /// By three anchors for each place (v5).
    case anchors
    /// By the distances from a place to the four edges, each as a distribution (v8, and v5u).
    case distances
  }

  /// The sizes of a network (the `yaml` files of ultralytics).
  public struct Configuration: Sendable, Hashable {
    /// The blocks between picture and head.
    public var body: Body
    /// What stands at the end.
    public var head: Head
    /// What the numbers of bottlenecks are multiplied by.
    public var depth: Double
    /// What the numbers of channels are multiplied by.
    public var width: Double
    /// The most channels before that.
    public var mostChannels = 1024
    /// Classes that are told apart.
    public var classes = 80
    /// Whether the convolutions have taken up their batch normalizations (ultralytics' `model.fuse()`): such a network is to be used, not taught.
    public var isFused = false

    /// YOLO v5 nano.
    public static let v5n = Configuration(body: .v5, head: .anchors, depth: 0.33, width: 0.25)
    /// YOLO v5 small.
    public static let v5s = Configuration(body: .v5, head: .anchors, depth: 0.33, width: 0.5)
    /// YOLO v5 medium.
    public static let v5m = Configuration(body: .v5, head: .anchors, depth: 0.67, width: 0.75)
    /// YOLO v5 nano with the head of v8.
    public static let v5nu = Configuration(body: .v5, head: .distances, depth: 0.33, width: 0.25)
    /// YOLO v8 nano.
    public static let v8n = Configuration(body: .v8, head: .distances, depth: 0.33, width: 0.25)
    /// YOLO v8 small.
    public static let v8s = Configuration(body: .v8, head: .distances, depth: 0.33, width: 0.5)
    /// YOLO v8 medium.
    public static let v8m = Configuration(
      body: .v8, head: .distances, depth: 0.67, width: 0.75, mostChannels: 768)
    /// For drawn scenes of six shapes: v8 with half of the nano's channels, and a quarter where there are most.
    public static let scenes = Configuration(
      body: .v8, head: .distances, depth: 0.33, width: 0.125, mostChannels: 512, classes: 6)

    /// Channels where ultralytics' files say `count`: a multiple of eight.
    func channels(_ count: Int) -> Int {
      Int((Double(min(count, mostChannels)) * width / 8).rounded(.up)) * 8
    }

    /// Bottlenecks where they say `count`.
    func bottlenecks(_ count: Int) -> Int { max(Int((Double(count) * depth).rounded(.toNearestOrEven)), 1) }
  }

  /// Pixels from one place of each map to the next.
  public static let strides = [8, 16, 32]

  /// All layers under the numbers that they have in ultralytics' files, the head last.
  let model: [any Module]
  private let sources: [[Int]]
  let configuration: Configuration
  /// How it learns with the head of v8.
  public var loss = YOLOLoss()
  /// How it learns with anchors.
  public var anchorLoss = YOLOAnchorLoss()

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration) {
    self.configuration = configuration
    var plan = YOLOPlan(configuration)
    switch configuration.body {
    case .v5: plan.addV5()
    case .v8: plan.addV8()
    }
    let channels = plan.headSources.map { plan.channels[$0] }
    let head: any YOLOHead =
      switch configuration.head {
      case .anchors: AnchorHead(channels, classes: configuration.classes)
      case .distances: DistanceHead(channels, classes: configuration.classes, isFused: configuration.isFused)
      }
    model = plan.layers + [head as any Module]
    sources = plan.sources + [plan.headSources]
  }

  /// The last layer.
  var head: any YOLOHead { model[model.count - 1] as! any YOLOHead }

  /// Numbers of a row of the predictions.
  private var rowLength: Int { configuration.classes + (configuration.head == .anchors ? 5 : 4) }

  /// `images` to `predictions`: rows of boxes and scores for `anchors`, boxes and scores in columns for `distances`, as ultralytics has them.
  public var signature: Signature {
    let axes: [TensorPort.Axis] =
      configuration.head == .anchors
      ? ["N", "boxes", .fixed(rowLength)] : ["N", .fixed(rowLength), "boxes"]
    return Signature(
      inputs: [TensorPort("images", ["N", 3, "H", "W"])], outputs: [TensorPort("predictions", axes)])
  }

  /// Centre x, centre y, width and height of each box in pixels of the network's picture, with v5 the certainty that there is an object, and
  /// that of each class.
  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    ["predictions": head.decoded(maps(inputs["images"]))]
  }

  /// What the head says of each place of the maps at H/8, H/16 and H/32, before it is read, for pictures N×3×H×W with values from 0 to 1: one
  /// map for each stride with anchors, and two with distances, the second of the classes.
  package func maps(_ images: Tensor) -> [Tensor] {
    var results: [Tensor?] = []
    for (number, layer) in model.dropLast().enumerated() {
      let inputs = sources[number].map { number in number < 0 ? images : results[number]! }
      let input = inputs.count == 1 ? inputs[0] : concatenate(inputs, axis: 1)
      results.append((layer as? any Layer)?(input) ?? input)
      // What nobody reads any more makes room.
      for place in results.indices.dropLast() where results[place] != nil {
        if !sources[(number + 1)...].contains(where: { $0.contains(place) }) { results[place] = nil }
      }
    }
    return head.maps(sources[sources.count - 1].map { results[$0]! })
  }
}

/// Layers joining maps, which have nothing of their own.
final class YOLOConcatenation: Module {}

/// The layers of a body, one after another.
struct YOLOPlan {
  private let configuration: YOLO.Configuration
  private(set) var layers: [any Module] = []
  /// The layers that each one reads; −1 is the picture.
  private(set) var sources: [[Int]] = []
  /// Channels of each layer's result.
  private(set) var channels: [Int] = []
  /// What the head reads.
  private(set) var headSources: [Int] = []

  init(_ configuration: YOLO.Configuration) { self.configuration = configuration }

  private var last: Int { layers.count - 1 }

  private mutating func add(_ layer: any Module, _ count: Int, from source: [Int]? = nil) {
    sources.append(source ?? [last])
    layers.append(layer)
    channels.append(count)
  }

  private mutating func convolution(_ count: Int, kernel: Int, stride: Int, padding: Int? = nil) {
    let outputs = configuration.channels(count)
    add(
      YOLOConvolution(
        channels.last ?? 3, outputs, kernel: kernel, stride: stride, padding: padding,
        isFused: configuration.isFused), outputs)
  }

  private mutating func block(_ count: Int, depth: Int, isResidual: Bool = false) {
    let (inputs, outputs) = (channels[last], configuration.channels(count))
    let depth = configuration.bottlenecks(depth)
    let layer: any Module =
      configuration.body == .v5
      ? C3(inputs, outputs, count: depth, isResidual: isResidual, isFused: configuration.isFused)
      : C2f(inputs, outputs, count: depth, isResidual: isResidual, isFused: configuration.isFused)
    add(layer, outputs)
  }

  private mutating func pyramid(_ count: Int) {
    let outputs = configuration.channels(count)
    add(SPPF(channels[last], outputs, isFused: configuration.isFused), outputs)
  }

  private mutating func upsampling() { add(YOLOUpsampling(), channels[last]) }

  private mutating func concatenation(with other: Int) {
    add(YOLOConcatenation(), channels[last] + channels[other], from: [last, other])
  }

  /// Four halvings, each with a block of so many bottlenecks, and the pyramid at the end.
  private mutating func body(depths: [Int]) {
    for (count, depth) in zip([128, 256, 512, 1024], depths) {
      convolution(count, kernel: 3, stride: 2)
      block(count, depth: depth, isResidual: true)
    }
    pyramid(1024)
  }

  /// Up to the size of a layer of the body, which is joined.
  private mutating func ascend(to other: Int, _ count: Int) {
    upsampling()
    concatenation(with: other)
    block(count, depth: 3)
  }

  /// Down again to the size of another layer, which is joined.
  private mutating func descend(to other: Int, _ count: Int) {
    convolution(count / 2, kernel: 3, stride: 2)
    concatenation(with: other)
    block(count, depth: 3)
  }

  /// YOLO v5, version 6.
  mutating func addV5() {
    convolution(64, kernel: 6, stride: 2, padding: 2)
    body(depths: [3, 6, 9, 3])  // to 9
    convolution(512, kernel: 1, stride: 1)
    ascend(to: 6, 512)
    convolution(256, kernel: 1, stride: 1)  // 14
    ascend(to: 4, 256)  // to 17
    descend(to: 14, 512)  // to 20
    descend(to: 10, 1024)  // to 23
    headSources = [17, 20, 23]
  }

  /// YOLO v8.
  mutating func addV8() {
    convolution(64, kernel: 3, stride: 2)
    body(depths: [3, 6, 6, 3])  // to 9
    ascend(to: 6, 512)  // to 12
    ascend(to: 4, 256)  // to 15
    descend(to: 12, 512)  // to 18
    descend(to: 9, 1024)  // to 21
    headSources = [15, 18, 21]
  }
}
