/// What a layer's class says about its weights: their names in the order Keras creates them.
struct KerasLayerClass {
  /// In snake case: `conv2d`.
  let name: String

  init(name: String) { self.name = name }

  /// From the group of a `.weights.h5` file, which is the class and a number: `layers/conv2d_3`.
  init(path: String) {
    let step = path.split(separator: "/").last ?? ""
    if let underscore = step.lastIndex(of: "_"), step[underscore...].dropFirst().allSatisfy(\.isNumber) {
      name = String(step[..<underscore])
    } else {
      name = String(step)
    }
  }

  private static let kinds: [String: [String]] = [
    "batch_normalization": ["gamma", "beta", "moving_mean", "moving_variance"],
    "layer_normalization": ["gamma", "beta"],
    "group_normalization": ["gamma", "beta"],
    "embedding": ["embeddings"],
    "separable_conv1d": ["depthwise_kernel", "pointwise_kernel", "bias"],
    "separable_conv2d": ["depthwise_kernel", "pointwise_kernel", "bias"],
    "normalization": ["mean", "variance", "count"],
    "p_re_lu": ["alpha"],
  ]

  /// The order of weights in any layer; what is not listed comes last.
  static let order = [
    "kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel", "embeddings", "bias", "gamma",
    "beta",
    "moving_mean", "moving_variance",
  ]

  /// The kinds of weights whose ranks are given, in order; for an unknown class by the ranks alone, else by position.
  func kinds(ranks: [Int]) -> [String] {
    if name == "batch_normalization", ranks.count < 4 {
      // Without scale there is no gamma; without both, neither.
      return Array(Self.kinds[name]!.suffix(ranks.count))
    }
    if let known = Self.kinds[name], ranks.count <= known.count { return Array(known.prefix(ranks.count)) }
    switch ranks {
    case [2, 2, 1], [2, 2, 2], [4, 4, 1]: return ["kernel", "recurrent_kernel", "bias"]
    case [1, 1, 1, 1]: return Self.kinds["batch_normalization"]!
    case [1, 1]: return ["gamma", "beta"]
    case let ranks where ranks.count <= 2 && (ranks.first ?? 0) > 1:
      return Array(["kernel", "bias"].prefix(ranks.count))
    default: return ranks.indices.map(String.init)
    }
  }

  /// The class of a layer with the given weights, when nobody says it.
  ///
  /// An automatic name carries it (`conv2d_17`); else the kinds and the kernel's rank decide. A depthwise convolution cannot be told
  /// from others by its shape.
  static func inferred(layer: String, kinds: [String], kernelRank: Int?) -> KerasLayerClass? {
    let automatic = KerasLayerClass(path: layer).name
    let known =
      ["conv1d", "conv2d", "conv3d", "conv2d_transpose", "depthwise_conv2d", "dense"] + Self.kinds.keys
    if known.contains(automatic) { return KerasLayerClass(name: automatic) }
    if kinds.contains("depthwise_kernel") {
      return KerasLayerClass(
        name: kinds.contains("pointwise_kernel") ? "separable_conv2d" : "depthwise_conv2d")
    }
    if kinds.contains("moving_mean") { return KerasLayerClass(name: "batch_normalization") }
    if kinds.contains("gamma") { return KerasLayerClass(name: "layer_normalization") }
    if kinds == ["embeddings"] { return KerasLayerClass(name: "embedding") }
    guard kinds.first == "kernel", let kernelRank,
      let name = [2: "dense", 3: "conv1d", 4: "conv2d", 5: "conv3d"][kernelRank]
    else { return nil }
    return KerasLayerClass(name: name)
  }
}
