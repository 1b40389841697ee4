import AviaryLayers
import AviaryTensors
import AviaryWeights

extension GPT2.Configuration: NetworkConfiguration {
  /// What Hugging Face's configuration files call the functions that this network can have.
  private static let activations: [String: Activation] = [
    "gelu_new": .geluTanh, "gelu_pytorch_tanh": .geluTanh, "gelu": .gelu, "relu": .relu, "silu": .silu,
    "swish": .silu, "tanh": .tanh,
  ]

  /// Throws ``ConfigurationError`` naming an entry that is unknown, or asks for what this network does not have.
  public init(from decoder: any Decoder) throws {
    self.init()
    var entries = try ConfigurationEntries(from: decoder)
    try entries.only("model_type", "gpt2")
    vocabulary = try entries.integer("vocab_size", missing: vocabulary)
    positions = try entries.integer("n_positions", missing: positions)
    width = try entries.integer("n_embd", 1...65_536, missing: width)
    layers = try entries.integer("n_layer", 1...Self.mostLayers, missing: layers)
    heads = try entries.integer("n_head", 1...4096, missing: heads)
    hidden = try entries.optionalInteger("n_inner", missing: nil)
    epsilon = Float(try entries.number("layer_norm_epsilon", 0...1, missing: 1e-5))
    activation = try entries.choice("activation_function", Self.activations, missing: activation)
    tiesHead = try entries.flag("tie_word_embeddings", missing: true)
    dropout.embedding = Float(try entries.number("embd_pdrop", 0...1, missing: 0.1))
    dropout.attention = Float(try entries.number("attn_pdrop", 0...1, missing: 0.1))
    dropout.residual = Float(try entries.number("resid_pdrop", 0...1, missing: 0.1))
    // Scores are divided by √(D/heads), and by nothing else.
    guard try entries.flag("scale_attn_weights", missing: true) else {
      throw ConfigurationError(
        entry: "scale_attn_weights", given: "false", expected: "true: nothing else is supported")
    }
    for name in ["scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention"] {
      try entries.refuse(name)
    }
    for name in Self.irrelevant { entries.ignore(name) }
    try entries.finish()
    guard width % heads == 0 else {
      throw ConfigurationError(
        entry: "n_head", given: "\(heads)", expected: "a divisor of the width \(width)")
    }
  }

  private static let mostLayers = 1000

  /// What such files say besides: of training, of programs, of generation, and of heads for other tasks.
  private static let irrelevant = [
    "architectures", "n_ctx", "initializer_range", "torch_dtype", "dtype", "transformers_version",
    "use_cache",
    "gradient_checkpointing", "bos_token_id", "eos_token_id", "pad_token_id", "task_specific_params",
    "output_past", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
    "summary_use_proj",
  ]

  public func encode(to encoder: any Encoder) throws {
    let names = Self.activations.filter { $0.value == activation }.keys.sorted()
    let entries: [String: JSONValue] = [
      "vocab_size": .integer(vocabulary), "n_positions": .integer(positions), "n_embd": .integer(width),
      "n_layer": .integer(layers), "n_head": .integer(heads), "n_inner": hidden.map { .integer($0) } ?? .null,
      "layer_norm_epsilon": .number(epsilon.asWritten),
      "activation_function": .string(activation == .geluTanh ? "gelu_new" : names.first ?? "gelu"),
      "tie_word_embeddings": .bool(tiesHead), "embd_pdrop": .number(dropout.embedding.asWritten),
      "attn_pdrop": .number(dropout.attention.asWritten), "resid_pdrop": .number(dropout.residual.asWritten),
    ]
    try entries.encode(to: encoder)
  }

  public func makeNetwork() -> any Network { GPT2(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.vocabulary = weights.extent(0, of: "wte.weight") ?? vocabulary
    result.positions = weights.extent(0, of: "wpe.weight") ?? positions
    if let found = weights.extent(1, of: "wte.weight"), found != width {
      // No tensor shows the heads; all of OpenAI's have 64 features.
      result.heads = found % 64 == 0 ? found / 64 : heads
      result.width = found
    }
    if let found = weights.extent(1, of: "h.0.mlp.c_fc.weight") {
      result.hidden = found == 4 * result.width ? nil : found
    }
    let found = (0..<Self.mostLayers).prefix { weights.spec("h.\($0).ln_1.weight") != nil }.count
    if found > 0 { result.layers = found }
    // A head of its own is taken as it is, whether or not it is the table of tokens once more.
    if weights.spec("lm_head.weight") != nil { result.tiesHead = false }
    return result
  }

  public static var doubtful: [(name: String, values: [JSONValue])] {
    [("n_head", [8, 12, 16, 20, 25].map { .integer($0) })]
  }
}

extension GPT2 {
  static let entries: [ZooEntry] = [
    ("gpt2", Configuration.small), ("gpt2_medium", .medium), ("gpt2_large", .large),
    ("gpt2_xl", .extraLarge),
  ].map { name, configuration in
    ZooEntry(
      name, .language,
      [
        Dialect(
          "huggingface", nameMaps: ["tensorflow_gpt2"], configuration, hasConfigurationFile: true,
          TaskBinding(
            settings: [TokenizerKind.setting: .string(TokenizerKind.byteLevelBPE.rawValue)],
            companions: [vocabularyFile]),
          leavesOut: isMask)
      ])
  }

  /// Old checkpoints hold which places are hidden from which, and what is added to their scores.
  private static let isMask: @Sendable (String) -> Bool = {
    $0.hasSuffix(".attn.bias") || $0.hasSuffix(".attn.masked_bias")
  }

  /// Checkpoints hold numbers of tokens alone.
  private static let vocabularyFile = CompanionFile(
    places: ["vocab.json", "encoder.json"], missing: { _ in nil },
    read: { path, metadata in metadata.bind(try ByteLevelBPE(vocabulary: path)) })
}

extension GPT2: SizedNetwork {
  public func check(_ inputs: NamedTensors) throws(SignatureError) {
    let given = inputs["input_ids"].shape
    guard given[1] <= configuration.positions else {
      throw SignatureError(
        name: "input_ids", given: given.shapeText,
        expected: "N×T with T of \(configuration.positions) at most")
    }
  }
}
