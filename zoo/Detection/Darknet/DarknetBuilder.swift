import AviaryLayers
import AviaryTensors

/// Makes the layers of a network from the sections of its `.cfg`, following the shapes from one to the next (`parser.c`).
struct DarknetBuilder {
  let fork: DarknetFork
  /// C×H×W of the picture.
  let input: DarknetShape
  /// Whether pictures keep their proportions; nil where the fork decides.
  let keepsProportions: Bool?
  private(set) var layers: [any DarknetLayer] = []
  private var numbers = 0

  /// Numbers of a network, and elements of a layer's result: beyond the largest ones published, and within a machine's memory.
  static let mostNumbers = 1 << 29
  private static let mostElements = 1 << 28

  /// - Throws: ``ConfigurationError`` that names the line of what makes no network.
  init(_ sections: [DarknetSection], _ fork: DarknetFork) throws(ConfigurationError) {
    self.fork = fork
    let net = sections[0]
    func side(_ name: String) throws(ConfigurationError) -> Int { try net.integer(name, 1...16_384) }
    input = DarknetShape(
      channels: try net.integer("channels", 1...4096, missing: 3), height: try side("height"),
      width: try side("width"))
    keepsProportions = net.has("letter_box") ? try net.flag("letter_box") : nil
    guard sections.count > 1 else { throw net.error(given: "alone", expected: "layers after it") }
    for section in sections.dropFirst() {
      let layer = try layer(section)
      guard layer.shape.count <= Self.mostElements else {
        throw section.error(given: layer.shape.text, expected: "\(Self.mostElements) elements at most")
      }
      numbers += layer.stream.reduce(0) { $0 + $1.shape.elementCount }
      guard numbers <= Self.mostNumbers else {
        throw section.error(
          given: "\(numbers) numbers in the network so far", expected: "\(Self.mostNumbers) at most")
      }
      layers.append(layer)
    }
    try checkHeads(sections)
  }

  var previous: DarknetShape { layers.last?.shape ?? input }
  var previousNumber: Int { layers.count - 1 }

  private func layer(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    switch section.kind {
    case "convolutional", "conv": return try convolution(section)
    case "connected", "conn": return try connection(section)
    case "maxpool", "max": return try maximum(section)
    case "avgpool", "avg":
      return function(DarknetShape(channels: previous.channels, height: 1, width: 1)) {
        $0[0].mean([2, 3], keepsAxes: true)
      }
    case "batchnorm":
      return DarknetNormalization(previous, source: previousNumber, fork)
    case "route": return try route(section)
    case "shortcut": return try shortcut(section)
    case "scale_channels", "sam": return try product(section)
    case "upsample": return try upsampling(section)
    case "reorg", "reorg3d": return try reorganisation(section)
    case "activation":
      let activation = try section.choice("activation", DarknetActivation.words, missing: "linear")
      return function(previous) { activation($0[0]) }
    case "softmax", "soft": return try softmax(section)
    case "dropout":
      let probability = try section.number("probability", missing: 0.5)
      guard 0..<1 ~= probability else {
        throw section.error("probability", given: "\(probability)", expected: "from 0 to less than 1")
      }
      return DarknetDropout(previous, source: previousNumber, probability)
    // What networks for classes learn from, which stands beside them here.
    case "cost": return function(previous) { $0[0] }
    case "yolo", "region", "detection": return try head(section)
    default:
      throw section.error(
        given: "[\(section.kind)]",
        expected:
          "one of activation, avgpool, batchnorm, connected, convolutional, cost, detection, dropout, maxpool, region, reorg, reorg3d, route, sam, scale_channels, shortcut, softmax, upsample, yolo"
      )
    }
  }

  func function(_ shape: DarknetShape, _ body: @escaping ([Tensor]) -> Tensor) -> DarknetFunction {
    DarknetFunction(shape, sources: [previousNumber], body)
  }

  // MARK: Layers with numbers

  private func convolution(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    try section.refuse(
      "binary", "xnor", "antialiasing", "deform", "rotate", "stretch", "sway", "stretch_sway")
    if section.has("share_index") {
      throw section.error("share_index", given: "there", expected: "no such option: it is not supported")
    }
    let size = try section.integer("size", 1...1024, missing: 1)
    let stride = try section.integer("stride", 1...1024, missing: 1)
    let strides = [
      try section.integer("stride_y", 1...1024, missing: stride),
      try section.integer("stride_x", 1...1024, missing: stride),
    ]
    let filters = try section.integer("filters", missing: 1)
    let groups = try section.integer("groups", missing: 1)
    let hasPad = try section.integer("pad", 0...1024, missing: 0) != 0
    let padding = hasPad ? size / 2 : try section.integer("padding", 0...1024, missing: 0)
    // A single tap has no gaps.
    let dilation = size == 1 ? 1 : try section.integer("dilation", 1...1024, missing: 1)
    let isNormalized = try section.flag("batch_normalize")
    let activation = try section.choice("activation", DarknetActivation.words, missing: "logistic")
    let channels = previous.channels
    guard channels % groups == 0, filters % groups == 0 else {
      throw section.error(
        "groups", given: "\(groups)", expected: "a divisor of \(channels) channels and \(filters) filters")
    }
    let reach = dilation * (size - 1) + 1
    func extent(_ side: Int, _ stride: Int) -> Int { (side + 2 * padding * dilation - reach) / stride + 1 }
    guard min(previous.height, previous.width) + 2 * padding * dilation >= reach else {
      throw section.error(
        "size", given: "\(size)", expected: "no more than the \(previous.text) before it and their padding")
    }
    guard
      filters.multipliedReportingOverflow(by: channels / groups * size * size).partialValue
        <= Self.mostNumbers
    else {
      throw section.error(
        given: "a kernel \(filters)×\(channels / groups)×\(size)×\(size)",
        expected: "\(Self.mostNumbers) numbers at most")
    }
    let conv = Conv2d(
      channels, filters, kernel: Extents(size), stride: Extents(strides),
      padding: .symmetric(Extents(padding * dilation)), dilation: Extents(dilation), groups: groups,
      bias: !isNormalized)
    return DarknetConvolution(
      conv, bn: isNormalized ? BatchNorm(filters, epsilon: Darknet.epsilon) : nil,
      DarknetSurroundings(
        activation: activation,
        shape: DarknetShape(
          channels: filters, height: extent(previous.height, strides[0]),
          width: extent(previous.width, strides[1])), sources: [previousNumber], fork: fork))
  }

  private func connection(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    let outputs = try section.integer("output", missing: 1)
    let isNormalized = try section.flag("batch_normalize")
    let activation = try section.choice("activation", DarknetActivation.words, missing: "logistic")
    guard previous.count <= Self.mostNumbers / outputs else {
      throw section.error(
        given: "\(outputs)×\(previous.count) numbers", expected: "\(Self.mostNumbers) at most")
    }
    return DarknetConnection(
      Linear(previous.count, outputs, bias: !isNormalized),
      bn: isNormalized ? BatchNorm(outputs, epsilon: Darknet.epsilon) : nil,
      DarknetSurroundings(
        activation: activation, shape: DarknetShape(channels: outputs, height: 1, width: 1),
        sources: [previousNumber], fork: fork))
  }
}
