import AviaryLayers
import AviaryTensors

// Layers without numbers of their own.

extension DarknetBuilder {
  func maximum(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
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

  func upsampling(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    let stride = try section.integer("stride", 1...64, missing: 2)
    let scale = try section.number("scale", missing: 1)
    let shape = DarknetShape(
      channels: previous.channels, height: previous.height * stride, width: previous.width * stride)
    return function(shape) { inputs in
      let larger = inputs[0].interpolated(to: [shape.height, shape.width], .nearest)
      return scale == 1 ? larger : larger * scale
    }
  }

  func reorganisation(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
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

  func softmax(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
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
