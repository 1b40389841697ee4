import AviaryLayers
import AviaryTensors

// Layers that read others than the one before.

extension DarknetBuilder {
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

  func route(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
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

  func shortcut(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
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
  func product(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
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
}
