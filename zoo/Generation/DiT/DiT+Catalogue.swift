import AviaryLayers
import AviaryWeights

extension DiTConfiguration: NetworkConfiguration {
  private enum CodingKeys: String, CodingKey {
    case inputSize = "input_size"
    case patchSize = "patch_size"
    case inChannels = "in_channels"
    case width = "hidden_size"
    case depth
    case heads = "num_heads"
    case perceptronRatio = "mlp_ratio"
    case classes = "num_classes"
    case learnsVariance = "learn_sigma"
  }

  /// Throws ``ConfigurationError`` for what makes no network.
  public init(from decoder: any Decoder) throws {
    self.init()
    var entries = try ConfigurationEntries(from: decoder)
    inputSize = try entries.integer("input_size", 1...2048, missing: inputSize)
    patchSize = try entries.integer("patch_size", 1...64, missing: patchSize)
    inChannels = try entries.integer("in_channels", 1...4096, missing: inChannels)
    width = try entries.integer("hidden_size", 4...65_536, missing: width)
    depth = try entries.integer("depth", 1...1000, missing: depth)
    heads = try entries.integer("num_heads", missing: heads)
    perceptronRatio = try entries.number("mlp_ratio", 0.01...64, missing: perceptronRatio)
    classes = try entries.integer("num_classes", missing: classes)
    learnsVariance = try entries.flag("learn_sigma", missing: learnsVariance)
    try entries.finish()
    try check(named: (size: "input_size", heads: "num_heads", width: "hidden_size"))
  }

  /// Throws ``ConfigurationError`` when numbers that are sound by themselves do not fit one another.
  fileprivate func check(
    named names: (size: String, heads: String, width: String)
  ) throws(ConfigurationError) {
    guard inputSize % patchSize == 0, grid <= 256 else {
      throw ConfigurationError(
        entry: names.size, given: "\(inputSize)",
        expected: "a multiple of the patch size \(patchSize), 256 patches at most")
    }
    guard width % 4 == 0, width % heads == 0 else {
      throw ConfigurationError(
        entry: names.heads, given: "\(heads)",
        expected: "a divisor of the width \(width), which is a multiple of 4")
    }
    guard hidden > 0 else {
      throw ConfigurationError(entry: "mlp_ratio", given: "\(perceptronRatio)", expected: "at least one unit")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(inputSize, forKey: .inputSize)
    try container.encode(patchSize, forKey: .patchSize)
    try container.encode(inChannels, forKey: .inChannels)
    try container.encode(width, forKey: .width)
    try container.encode(depth, forKey: .depth)
    try container.encode(heads, forKey: .heads)
    try container.encode(perceptronRatio, forKey: .perceptronRatio)
    try container.encode(classes, forKey: .classes)
    try container.encode(learnsVariance, forKey: .learnsVariance)
  }

  public func makeNetwork() -> any Network { DiT(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    adopting(
      weights, patches: "x_embedder.proj.weight", table: "y_embedder.embedding_table.weight",
      last: "final_layer.linear.weight", tokens: weights.extent(1, of: "pos_embed"))
  }

  /// As the tensors that have these names show it.
  ///
  /// - Parameter tokens: T, where a tensor has it.
  fileprivate func adopting(
    _ weights: WeightArchive, patches: String, table: String, last: String, tokens: Int?
  ) -> Self {
    var result = self
    result.width = weights.extent(0, of: patches) ?? width
    result.inChannels = weights.extent(1, of: patches) ?? inChannels
    result.patchSize = weights.extent(2, of: patches) ?? patchSize
    if let rows = weights.extent(0, of: table), rows > 1 { result.classes = rows - 1 }
    if let tokens {
      let side = Int(Double(tokens).squareRoot())
      if side * side == tokens { result.inputSize = side * result.patchSize }
    }
    if let outputs = weights.extent(0, of: last) {
      result.learnsVariance = outputs == 2 * result.inChannels * result.patchSize * result.patchSize
    }
    return result
  }

  public static var doubtful: [(name: String, values: [JSONValue])] {
    [("num_heads", [6, 12, 16].map { .integer($0) })]
  }
}

extension TransformerDiT.Configuration: NetworkConfiguration {
  /// Throws ``ConfigurationError`` naming an entry that is unknown, or asks for what this network does not have.
  public init(from decoder: any Decoder) throws {
    self.init()
    var entries = try ConfigurationEntries(
      from: decoder, classNames: ["DiTTransformer2DModel", "Transformer2DModel"])
    sizes.heads = try entries.integer("num_attention_heads", 1...4096, missing: 16)
    sizes.width = sizes.heads * (try entries.integer("attention_head_dim", 1...4096, missing: 72))
    sizes.inChannels = try entries.integer("in_channels", 1...4096, missing: 4)
    let outputs = try entries.optionalInteger("out_channels", missing: nil) ?? sizes.inChannels
    sizes.learnsVariance = outputs != sizes.inChannels
    guard outputs == sizes.outChannels else {
      throw ConfigurationError(
        entry: "out_channels", given: "\(outputs)", expected: "\(sizes.inChannels) or twice as many")
    }
    sizes.depth = try entries.integer("num_layers", 1...1000, missing: 28)
    sizes.inputSize = try entries.integer("sample_size", 1...2048, missing: 32)
    sizes.patchSize = try entries.integer("patch_size", 1...64, missing: 2)
    sizes.classes = try entries.optionalInteger("num_embeds_ada_norm", missing: 1000) ?? 1000
    attentionHasBias = try entries.flag("attention_bias", missing: true)
    normEpsilon = Float(try entries.number("norm_eps", 0...1, missing: 1e-5))
    try entries.only("norm_type", "ada_norm_zero")
    try entries.only("activation_fn", "gelu-approximate")
    try entries.refuse("norm_elementwise_affine")
    for name in ["cross_attention_dim", "num_vector_embeds", "caption_channels", "interpolation_scale"] {
      try entries.only(name, nil)
    }
    for name in ["use_linear_projection", "only_cross_attention", "double_self_attention"] {
      try entries.refuse(name)
    }
    // They are for training, for precision, and for other kinds of this class.
    for name in [
      "dropout", "norm_num_groups", "upcast_attention", "attention_type", "use_additional_conditions",
    ] {
      entries.ignore(name)
    }
    try entries.finish()
    try sizes.check(named: (size: "sample_size", heads: "num_attention_heads", width: "attention_head_dim"))
  }

  public func encode(to encoder: any Encoder) throws {
    let entries: [String: JSONValue] = [
      "num_attention_heads": .integer(sizes.heads), "attention_head_dim": .integer(sizes.width / sizes.heads),
      "in_channels": .integer(sizes.inChannels), "out_channels": .integer(sizes.outChannels),
      "num_layers": .integer(sizes.depth), "sample_size": .integer(sizes.inputSize),
      "patch_size": .integer(sizes.patchSize), "num_embeds_ada_norm": .integer(sizes.classes),
      "attention_bias": .bool(attentionHasBias), "norm_eps": .number(normEpsilon.asWritten),
    ]
    try entries.encode(to: encoder)
  }

  public func makeNetwork() -> any Network { TransformerDiT(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    let adopted = sizes.adopting(
      weights, patches: "pos_embed.proj.weight",
      table: "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight",
      last: "proj_out_2.weight", tokens: nil)
    if adopted.width % adopted.heads == 0 { result.sizes = adopted }
    return result
  }

  public static var doubtful: [(name: String, values: [JSONValue])] { [] }
}

extension DiT {
  static let entries = [
    entry("dit_s_2", .small(patch: 2)), entry("dit_b_2", .base(patch: 2)), entry("dit_l_2", .large(patch: 2)),
    entry("dit_xl_2", .extraLarge(patch: 2)),
  ]

  private static func entry(_ name: String, _ sizes: DiTConfiguration) -> ZooEntry {
    let settings: Settings = [
      DiffusionSettings.schedulerKey: schedule, "steps": .integer(250), "guidance": .number(4),
    ]
    return ZooEntry(
      name, .generation,
      [
        Dialect("facebookresearch", sizes, TaskBinding(settings: settings)),
        Dialect(
          "diffusers", TransformerDiT.Configuration(sizes), hasConfigurationFile: true,
          TaskBinding(settings: settings, companions: [DiffusionSettings.scheduleFile(missing: nil)])),
      ])
  }

  /// The noise of training, and the steps that the paper samples in: evenly from the last to the first.
  private static let schedule: JSONValue = .object([
    "_class_name": .string("DDPMScheduler"), "num_train_timesteps": .integer(1000),
    "beta_schedule": .string("linear"), "beta_start": .number(1e-4), "beta_end": .number(0.02),
    "variance_type": .string("learned_range"), "clip_sample": .bool(false),
    "timestep_spacing": .string("linspace"),
  ])
}
