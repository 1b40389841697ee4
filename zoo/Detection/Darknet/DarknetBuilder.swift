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
  private static let mostNumbers = 1 << 29
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

  private var previous: DarknetShape { layers.last?.shape ?? input }
  private var previousNumber: Int { layers.count - 1 }

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
    // Nothing happens there but in training.
    case "dropout", "cost": return function(previous) { $0[0] }
    case "yolo", "region", "detection": return try head(section)
    default:
      throw section.error(
        given: "[\(section.kind)]",
        expected:
          "one of activation, avgpool, batchnorm, connected, convolutional, cost, detection, dropout, maxpool, region, reorg, reorg3d, route, sam, scale_channels, shortcut, softmax, upsample, yolo"
      )
    }
  }

  private func function(_ shape: DarknetShape, _ body: @escaping ([Tensor]) -> Tensor) -> DarknetFunction {
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
      conv, bn: isNormalized ? BatchNorm(filters, epsilon: Darknet.epsilon) : nil, activation,
      DarknetShape(
        channels: filters, height: extent(previous.height, strides[0]),
        width: extent(previous.width, strides[1])),
      sources: [previousNumber], fork)
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
      bn: isNormalized ? BatchNorm(outputs, epsilon: Darknet.epsilon) : nil, activation,
      DarknetShape(channels: outputs, height: 1, width: 1), sources: [previousNumber], fork)
  }

  // MARK: Layers that read others

  /// The number of a layer that a section names: from the first one, or back from its own place.
  private func number(
    _ given: Int, _ name: String, _ section: DarknetSection
  ) throws(ConfigurationError) -> Int {
    let number = given < 0 ? layers.count + given : given
    guard layers.indices.contains(number) else {
      throw section.error(
        name, given: "\(given) in layer \(layers.count)",
        expected: layers.isEmpty
          ? "a layer before this one, of which there is none"
          : "a layer before this one: 0 to \(layers.count - 1), or -1 to -\(layers.count)")
    }
    return number
  }

  private func numbers(_ name: String, _ section: DarknetSection) throws(ConfigurationError) -> [Int] {
    var result: [Int] = []
    for given in try section.integers(name) { result.append(try number(given, name, section)) }
    return result
  }

  private func route(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    let sources = try numbers("layers", section)
    let groups = try section.integer("groups", missing: 1)
    let group = try section.integer("group_id", 0...max(groups - 1, 0), missing: 0)
    let first = layers[sources[0]].shape
    var channels = 0
    for source in sources {
      let shape = layers[source].shape
      guard (shape.height, shape.width) == (first.height, first.width), shape.channels % groups == 0 else {
        throw section.error(
          "layers", given: "layer \(source) of \(shape.text)",
          expected: "\(first.height)×\(first.width) places, and channels for \(groups) groups")
      }
      channels += shape.channels / groups
    }
    let shape = DarknetShape(channels: channels, height: first.height, width: first.width)
    return DarknetFunction(shape, sources: sources) { inputs in
      let parts = inputs.map { input in
        let count = input.shape[1] / groups
        return groups == 1 ? input : input.sliced(1, group * count..<(group + 1) * count)
      }
      return parts.count == 1 ? parts[0] : concatenate(parts, axis: 1)
    }
  }

  private func shortcut(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    let others = try numbers("from", section)
    let activation = try section.choice("activation", DarknetActivation.words, missing: "linear")
    let shape = previous
    guard fork == .alexeyab else {
      guard others.count == 1 else {
        throw section.error(
          "from", given: "\(others.count) layers", expected: "one, but in the dialect alexeyab")
      }
      let other = layers[others[0]].shape
      let stride = max(other.width / shape.width, 1)
      guard (other.height, other.width) == (shape.height * stride, shape.width * stride) else {
        throw section.error(
          "from", given: "a layer of \(other.text)", expected: "a multiple of \(shape.height)×\(shape.width)")
      }
      return DarknetShortcut(
        shape, sources: [previousNumber] + others, weightsPerLayer: nil, .none, activation,
        scales: (try section.number("alpha", missing: 1), try section.number("beta", missing: 1)),
        isFlat: false)
    }
    let perLayer: Int? = try section.choice(
      "weights_type",
      ["none": nil, "per_feature": 1, "per_layer": 1, "per_channel": shape.channels], missing: "none")
    let normalization = try section.choice(
      "weights_normalization",
      ["none": DarknetShortcut.Normalization.none, "relu": .relu, "softmax": .softmax], missing: "none")
    return DarknetShortcut(
      shape, sources: [previousNumber] + others, weightsPerLayer: perLayer, normalization, activation,
      isFlat: true)
  }

  /// `scale_channels`: a layer's channels times the numbers before. `sam`: element by element.
  private func product(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    try section.refuse("scale_wh")
    let other = try number(try section.integer("from", -4096...4096), "from", section)
    let activation = try section.choice("activation", DarknetActivation.words, missing: "linear")
    let shape = layers[other].shape
    let isFitting =
      section.kind == "sam"
      ? shape == previous : previous == DarknetShape(channels: shape.channels, height: 1, width: 1)
    guard isFitting else {
      throw section.error(
        "from", given: "a layer of \(shape.text)",
        expected: "one that the \(previous.text) before it can scale")
    }
    return DarknetFunction(shape, sources: [previousNumber, other]) { activation($0[0] * $0[1]) }
  }

  // MARK: Layers without numbers

  private func maximum(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    try section.refuse("maxpool_depth", "antialiasing")
    let stride = try section.integer("stride", 1...1024, missing: 1)
    let strides = [
      try section.integer("stride_y", 1...1024, missing: stride),
      try section.integer("stride_x", 1...1024, missing: stride),
    ]
    let size = try section.integer("size", 1...1024, missing: stride)
    let total = try section.integer("padding", 0...2 * (size - 1), missing: size - 1)
    let extents = zip([previous.height, previous.width], strides).map { ($0 + total - size) / $1 + 1 }
    guard min(previous.height, previous.width) + total >= size else {
      throw section.error("size", given: "\(size)", expected: "no more than the \(previous.text) before it")
    }
    let geometry = PoolingGeometry(
      kernel: [size, size], stride: strides,
      padding: Padding(
        before: [total / 2, total / 2], after: [total - total / 2, total - total / 2]))
    return function(DarknetShape(channels: previous.channels, height: extents[0], width: extents[1])) {
      $0[0].maxPooled(geometry)
    }
  }

  private func upsampling(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    let stride = try section.integer("stride", 1...64, missing: 2)
    let scale = try section.number("scale", missing: 1)
    let shape = DarknetShape(
      channels: previous.channels, height: previous.height * stride, width: previous.width * stride)
    return function(shape) { inputs in
      let larger = inputs[0].interpolated(to: [shape.height, shape.width], .nearest)
      return scale == 1 ? larger : larger * scale
    }
  }

  private func reorganisation(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    try section.refuse("reverse", "flatten", "extra")
    let s = try section.integer("stride", 1...64, missing: 1)
    let (c, h, w) = (previous.channels, previous.height, previous.width)
    let isOrdinary = section.kind == "reorg3d"
    guard h % s == 0, w % s == 0, isOrdinary || c % (s * s) == 0 else {
      throw section.error(
        "stride", given: "\(s)", expected: "one that divides the \(previous.text) before it")
    }
    let shape = DarknetShape(channels: c * s * s, height: h / s, width: w / s)
    return function(shape) { inputs in
      let batch = inputs[0].shape[0]
      // The older layer takes the memory for a map of fewer and larger channels than it is.
      let (channels, rows, columns) = isOrdinary ? (c, h / s, w / s) : (c / (s * s), h, w)
      return inputs[0].reshaped([batch, channels, rows, s, columns, s]).permuted([0, 3, 5, 1, 2, 4])
        .reshaped(shape.of(batch: batch))
    }
  }

  private func softmax(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    try section.refuse("spatial")
    if section.has("tree") {
      throw section.error("tree", given: "there", expected: "no such option: it is not supported")
    }
    let groups = try section.integer("groups", missing: 1)
    let temperature = try section.number("temperature", missing: 1)
    let shape = previous
    guard shape.count % groups == 0, temperature > 0 else {
      throw section.error(
        given: "\(groups) groups at temperature \(temperature)",
        expected: "a divisor of \(shape.count), and a temperature above 0")
    }
    return function(shape) { inputs in
      let batch = inputs[0].shape[0]
      let rows = inputs[0].reshaped([batch, groups, shape.count / groups])
      return (temperature == 1 ? rows : rows * (1 / temperature)).softmax()
        .reshaped(shape.of(batch: batch))
    }
  }
}

// MARK: Heads

extension DarknetBuilder {
  private func head(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    let classes = try section.integer("classes", missing: section.kind == "detection" ? 1 : 20)
    let count = try section.integer("num", 1...1024, missing: 1)
    let picture = (width: input.width, height: input.height)
    if section.kind == "detection" {
      let side = try section.integer("side", 1...1024, missing: 7)
      guard try section.integer("coords", missing: 1) == 4,
        previous.count == side * side * (classes + count * 5)
      else {
        throw section.error(
          given: "behind \(previous.count) numbers",
          expected: "\(side)·\(side)·(\(classes) + \(count)·5) numbers, and coords=4")
      }
      let kind = DarknetHead.Kind.grid(
        side: side, squaresSides: try section.flag("sqrt"), usesSoftmax: try section.flag("softmax"))
      return DarknetHead(
        kind, classes: classes, boxes: count, anchors: [], picture: picture, .iou, previous,
        source: previousNumber)
    }
    let given = try section.numbers("anchors")
    guard given.count == 2 * count else {
      throw section.error(
        "anchors", given: "\(given.count) numbers", expected: "two for each of num=\(count)")
    }
    var (kind, mask) = (
      DarknetHead.Kind.region(usesSoftmax: try section.flag("softmax")), Array(0..<count)
    )
    if section.kind == "region" {
      if section.has("tree") {
        throw section.error("tree", given: "there", expected: "no such option: it is not supported")
      }
      try section.refuse("background")
      guard try section.integer("coords", missing: 4) == 4 else {
        throw section.error("coords", given: "others", expected: "4")
      }
    } else {
      mask = try section.integers("mask", missing: mask)
      guard mask.allSatisfy({ 0..<count ~= $0 }) else {
        throw section.error("mask", given: "\(mask)", expected: "numbers from 0 to \(count - 1)")
      }
      kind = .yolo(
        scaleXY: try section.number("scale_x_y", missing: 1),
        newCoordinates: try section.flag("new_coords"))
    }
    guard previous.channels == mask.count * (5 + classes) else {
      throw section.error(
        given: "behind \(previous.channels) channels",
        expected: "\(mask.count * (5 + classes)): \(mask.count) boxes of 5 numbers and \(classes) classes")
    }
    let beta = try section.number("beta_nms", missing: 0.6)
    let suppression = try section.choice(
      "nms_kind",
      [
        "default": DarknetHead.Suppression.iou, "greedynms": .distance(beta: 0.6),
        "diounms": .distance(beta: beta),
      ], missing: "default")
    return DarknetHead(
      kind, classes: classes, boxes: mask.count,
      anchors: mask.flatMap { [given[2 * $0], given[2 * $0 + 1]] },
      picture: picture, fork == .alexeyab ? suppression : .iou, previous, source: previousNumber)
  }

  /// All heads tell the same classes apart, so that their boxes fit one list.
  private func checkHeads(_ sections: [DarknetSection]) throws(ConfigurationError) {
    var known: Int?
    for (layer, section) in zip(layers, sections.dropFirst()) {
      guard let head = layer as? DarknetHead else { continue }
      guard head.classes == known ?? head.classes else {
        throw section.error("classes", given: "\(head.classes)", expected: "\(known!) as before")
      }
      known = head.classes
    }
  }
}
