import AviaryTensors

/// One name for each weight, whichever of Keras' formats it comes from: `conv1/kernel`, `conv1_bn/moving_mean`.
///
/// Keras 1 writes `block1_conv1/block1_conv1_W_1:0`, Keras 2 `conv1/conv1/kernel:0`, Keras 3 `fc/sequential/fc/kernel` and
/// `layers/conv2d/vars/0`; name maps should have to know none of it.
struct KerasNaming {
  /// A weight's canonical name and the archive's.
  struct Weight: Equatable {
    var layer: String
    var kind: String
    let tensor: String
    var name: String { "\(layer)/\(kind)" }
  }

  /// The weights of `archive` in its order. Where two would get one name, both keep the group they lie in.
  static func weights(of archive: WeightArchive) throws -> [Weight] {
    let structure = try archive.checkedKerasStructure()
    let paths = Dictionary(
      structure.layers.compactMap { layer in layer.path.map { ($0, layer.name) } },
      uniquingKeysWith: { a, _ in a })
    // The state of a dropout's random numbers is no weight.
    let layers = structure.layers.filter { $0.path?.hasSuffix("seed_generator") != true }
    var weights = layers.flatMap { layer in
      structure.layout == .attributePaths
        ? byPosition(layer, names: paths, archive) : byName(layer, archive)
    }
    let repeated = Dictionary(grouping: weights, by: \.name).filter { $0.value.count > 1 }
    for index in weights.indices where repeated[weights[index].name] != nil {
      let steps = weights[index].tensor.split(separator: "/")
      weights[index].layer = steps.dropLast().joined(separator: "/")
    }
    return weights
  }

  /// The layer of a canonical name: `fire2/squeeze1x1` of `fire2/squeeze1x1/kernel`.
  static func layer(of name: String) -> String { name.lastIndex(of: "/").map { String(name[..<$0]) } ?? name }

  // MARK: Legacy files

  private static func byName(_ layer: KerasStructure.Layer, _ archive: WeightArchive) -> [Weight] {
    let isSeparable = layer.weights.contains { withoutOutput($0.name).hasSuffix("pointwise_kernel") }
    return layer.weights.map { weight in
      let (owner, last) = split(withoutOutput(weight.name), layer)
      var kind = kind(of: last, rank: archive.spec(weight.tensor)!.shape.count)
      // Keras 2 calls the kernel of a depthwise convolution differently from any other, Keras 3 does not.
      if kind == "depthwise_kernel", !isSeparable { kind = "kernel" }
      return Weight(layer: owner, kind: kind, tensor: weight.tensor)
    }
  }

  /// `conv1/kernel:0` without the `:0`, TensorFlow's number of an operation's output.
  private static func withoutOutput(_ name: String) -> Substring {
    guard let colon = name.lastIndex(of: ":"), name[colon...].dropFirst().allSatisfy(\.isNumber) else {
      return name[...]
    }
    return name[..<colon]
  }

  /// The layer that a weight of a group belongs to, and the rest of its name.
  private static func split(_ name: Substring, _ group: KerasStructure.Layer) -> (owner: String, last: String)
  {
    let layer = group.name
    // Keras 1: the layer's name, an underscore, one letter. The layer's name may contain slashes.
    if name.hasPrefix(layer + "_"), !name.dropFirst(layer.count).contains("/") {
      return (layer, String(name.dropFirst(layer.count + 1)))
    }
    var steps = name.split(separator: "/").map(String.init)
    let last = steps.popLast() ?? ""
    let own = layer.split(separator: "/").map(String.init)
    if steps.isEmpty { return (layer, last) }
    // Keras 3 may put the names of enclosing models before the layer's own.
    guard let start = steps.indices.first(where: { steps[$0...].starts(with: own) }) else {
      // The group is a nested model of Keras 2, whose layers stand in the weights' names.
      return (steps.joined(separator: "/"), last)
    }
    let inner = steps[(start + own.count)...]
    if let first = inner.first, isModel(group, holding: first) { return (inner.joined(separator: "/"), last) }
    return (steps[start...].joined(separator: "/"), last)
  }

  /// Whether a group with layers inside is a model, whose name says nothing, or a layer such as attention, whose parts do.
  ///
  /// Files without a configuration do not say it; there the names of the parts decide.
  private static func isModel(_ group: KerasStructure.Layer, holding part: String) -> Bool {
    if let className = group.className { return ["functional", "model", "sequential"].contains(className) }
    let isPart =
      ["query", "key", "value", "attention_output"].contains(part) || part.hasSuffix("_cell")
      || part.hasPrefix("forward_") || part.hasPrefix("backward_")
    return !isPart
  }

  private static let kinds: [String: String] = [
    "W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance",
  ]

  private static func kind(of name: String, rank: Int) -> String {
    // A layer used twice, or built twice in one program, has numbered names: W_1, kernel_1.
    var base = name[...]
    if let underscore = name.lastIndex(of: "_"), name[underscore...].dropFirst().allSatisfy(\.isNumber) {
      base = name[..<underscore]
    }
    // Early Keras named some kernels after the function that filled them.
    for start in ["uniform", "normal"]
    where name.hasPrefix(start) && name.dropFirst(start.count).allSatisfy(\.isNumber) {
      return rank > 1 ? "kernel" : "bias"
    }
    return kinds[String(base)] ?? String(base)
  }

  // MARK: Files of attribute paths

  private static func byPosition(
    _ layer: KerasStructure.Layer, names: [String: String], _ archive: WeightArchive
  ) -> [Weight] {
    var owner: [String] = []
    var path = ""
    for step in (layer.path ?? "").split(separator: "/").map(String.init) {
      path += path.isEmpty ? step : "/" + step
      if KerasPathReader.layerLists.contains(step) || step == "container" || step.hasPrefix("container_") {
        owner = []
      } else {
        owner.append(names[path] ?? step)
      }
    }
    let ranks = layer.weights.map { archive.spec($0.tensor)!.shape.count }
    let kinds = KerasLayerClass(path: layer.path ?? "").kinds(ranks: ranks)
    return zip(layer.weights, kinds).map { weight, kind in
      Weight(
        layer: owner.isEmpty ? layer.name : owner.joined(separator: "/"), kind: kind, tensor: weight.tensor)
    }
  }
}

extension WeightArchive {
  /// The same tensors of a Keras file under canonical names: `conv1/kernel`, `conv1_bn/gamma`.
  public func withCanonicalKerasNames() throws -> WeightArchive {
    var result = try selecting(KerasNaming.weights(of: self).map { ($0.name, $0.tensor) })
    result.keras = nil
    return result
  }
}
