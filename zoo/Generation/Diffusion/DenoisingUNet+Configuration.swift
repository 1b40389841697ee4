import AviaryLayers

extension DenoisingUNet {
  /// A block of one resolution.
  public enum BlockKind: Sendable, Hashable {
    /// Residual blocks alone.
    case plain
    /// Attention over the pixels after each residual block.
    case attention
  }

  /// What diffusers' `config.json` says of a `UNet2DModel`, with its defaults where the file says nothing.
  public struct Configuration: Sendable, Hashable {
    /// Height and width of the samples it was trained on; it computes any.
    public var sampleSize: [Int]?
    /// C of the samples.
    public var inChannels = 3
    /// Channels of the result: C, or 2C where the variance is learned too.
    public var outChannels = 3
    /// Samples from 0 to 1 are spread to −1…1 first.
    public var centersInput = false
    /// Width of the embedding of time, four times the first block's unless given.
    public var timeEmbeddingWidth: Int?
    /// What the features' exponents have less in their denominator; 1 makes the lowest frequency exactly 1/10000.
    public var frequencyShift = 0
    /// Whether the features of time are cosines and then sines, not the other way around.
    public var cosineFirst = true
    /// The blocks of the way down, the highest resolution first.
    public var downBlockTypes: [BlockKind] = [.plain, .attention, .attention, .attention]
    /// The blocks of the way up, the lowest resolution first.
    public var upBlockTypes: [BlockKind] = [.attention, .attention, .attention, .plain]
    /// Channels per resolution, the highest first.
    public var blockOutChannels = [224, 448, 672, 896]
    /// Residual blocks per resolution on the way down; on the way up there is one more.
    public var layersPerBlock = 2
    /// Whether there is a block between the two ways, at the lowest resolution.
    public var hasMidBlock = true
    /// Whether that block has attention between its residual blocks.
    public var midBlockAttends = true
    /// What that block's residual sums are divided by.
    public var midBlockScaleFactor: Float = 1
    /// Zeros around the convolutions that halve the resolution; 0 for zeros below and to the right alone.
    public var downsamplePadding = 1
    /// The share of features dropped in each residual block while training.
    public var dropout: Float = 0
    /// Channels of a head; nil where one head has them all. It changes no weight's shape.
    public var attentionHeadChannels: Int? = 8
    /// Groups of each group normalization, a divisor of all numbers of channels.
    public var normGroups = 32
    /// ε of each group normalization.
    public var normEpsilon: Float = 1e-5
    /// How many classes of pictures are told apart, one for pictures of any class among them where there is such; nil for none.
    public var classCount: Int?

    /// diffusers' defaults.
    public init() {}

    /// google/ddpm-cifar10-32: 35 746 307 parameters (the paper's 35.7 million for CIFAR-10).
    public static let ddpmCIFAR10 = {
      var configuration = Configuration()
      configuration.sampleSize = [32, 32]
      configuration.frequencyShift = 1
      configuration.cosineFirst = false
      configuration.downBlockTypes = [.plain, .attention, .plain, .plain]
      configuration.upBlockTypes = [.plain, .plain, .attention, .plain]
      configuration.blockOutChannels = [128, 256, 256, 256]
      configuration.downsamplePadding = 0
      configuration.attentionHeadChannels = nil
      configuration.normEpsilon = 1e-6
      return configuration
    }()

    /// 28×28 grey digits of ten classes, of which an eleventh stands for any: small enough to be trained on a processor.
    public static let ddpmMNIST = {
      var configuration = Configuration()
      configuration.sampleSize = [28, 28]
      (configuration.inChannels, configuration.outChannels) = (1, 1)
      configuration.downBlockTypes = [.plain, .plain, .attention]
      configuration.upBlockTypes = [.attention, .plain, .plain]
      configuration.blockOutChannels = [16, 32, 64]
      configuration.layersPerBlock = 1
      configuration.timeEmbeddingWidth = 64
      configuration.attentionHeadChannels = 16
      configuration.normGroups = 8
      configuration.classCount = 11
      return configuration
    }()

    var timeWidth: Int { timeEmbeddingWidth ?? 4 * blockOutChannels[0] }

    var timeFeatures: TimeFeatures {
      TimeFeatures(
        width: blockOutChannels[0], order: cosineFirst ? .cosineFirst : .sineFirst,
        frequencyShift: frequencyShift)
    }

    func norm(_ channels: Int) -> GroupNorm {
      GroupNorm(channels, groups: normGroups, epsilon: normEpsilon)
    }

    func heads(_ channels: Int) -> Int { attentionHeadChannels.map { channels / $0 } ?? 1 }
  }
}

extension DenoisingUNet.Configuration: Decodable {
  /// Throws ``ConfigurationError`` naming an entry that is unknown, or asks for what this network does not have.
  public init(from decoder: any Decoder) throws {
    self.init()
    var entries = try ConfigurationEntries(from: decoder, classNames: ["UNet2DModel"])
    sampleSize = try entries.extents("sample_size")
    inChannels = try entries.integer("in_channels", missing: inChannels)
    outChannels = try entries.integer("out_channels", missing: outChannels)
    centersInput = try entries.flag("center_input_sample", missing: centersInput)
    timeEmbeddingWidth = try entries.optionalInteger("time_embedding_dim", missing: nil)
    frequencyShift = try entries.integer("freq_shift", 0...1024, missing: frequencyShift)
    cosineFirst = try entries.flag("flip_sin_to_cos", missing: cosineFirst)
    downBlockTypes = try entries.choices(
      "down_block_types", ["DownBlock2D": .plain, "AttnDownBlock2D": .attention], missing: downBlockTypes)
    upBlockTypes = try entries.choices(
      "up_block_types", ["UpBlock2D": .plain, "AttnUpBlock2D": .attention], missing: upBlockTypes)
    blockOutChannels = try entries.integers("block_out_channels", missing: blockOutChannels)
    layersPerBlock = try entries.integer("layers_per_block", 1...64, missing: layersPerBlock)
    hasMidBlock = try entries.isPresent("mid_block_type", as: "UNetMidBlock2D")
    midBlockAttends = try entries.flag("add_attention", missing: midBlockAttends)
    midBlockScaleFactor = Float(try entries.number("mid_block_scale_factor", 1e-6...1e6, missing: 1))
    downsamplePadding = try entries.integer("downsample_padding", 0...1, missing: downsamplePadding)
    dropout = Float(try entries.number("dropout", 0...1, missing: 0))
    attentionHeadChannels = try entries.optionalInteger(
      "attention_head_dim", missing: attentionHeadChannels)
    normGroups = try entries.integer("norm_num_groups", missing: normGroups)
    normEpsilon = Float(try entries.number("norm_eps", 0...1, missing: 1e-5))
    _ = try entries.choice("act_fn", ["silu": true, "swish": true], missing: true)
    try entries.only("time_embedding_type", "positional")
    try entries.only("downsample_type", "conv")
    try entries.only("upsample_type", "conv")
    try entries.only("resnet_time_scale_shift", "default")
    try entries.only("attn_norm_num_groups", nil)
    try entries.only("class_embed_type", nil)
    classCount = try entries.optionalInteger("num_class_embeds", missing: nil)
    // It is for learned embeddings of time alone.
    entries.ignore("num_train_timesteps")
    try entries.finish()
    try checkSizes()
  }

  /// Throws ``ConfigurationError`` when entries that are sound by themselves do not fit one another.
  private func checkSizes() throws(ConfigurationError) {
    let widths = blockOutChannels
    for (name, count) in [
      ("down_block_types", downBlockTypes.count), ("up_block_types", upBlockTypes.count),
    ] where count != widths.count {
      throw ConfigurationError(
        entry: name, given: "a list of \(count)", expected: "one of each of the \(widths.count) blocks")
    }
    guard widths.count <= 16 else {
      throw ConfigurationError(
        entry: "block_out_channels", given: "a list of \(widths.count)", expected: "at most 16 resolutions")
    }
    if let wrong = widths.first(where: { $0 % normGroups != 0 }) {
      throw ConfigurationError(
        entry: "block_out_channels", given: "\(wrong)", expected: "multiples of \(normGroups) groups")
    }
    guard widths[0] % 2 == 0, widths[0] / 2 > frequencyShift else {
      throw ConfigurationError(
        entry: "block_out_channels", given: "\(widths[0])",
        expected: "an even number above \(2 * frequencyShift) as the width of the features of time")
    }
    guard let head = attentionHeadChannels else { return }
    let last = widths.count - 1
    let attending = widths.indices.filter {
      downBlockTypes[$0] == .attention || upBlockTypes[last - $0] == .attention
        || ($0 == last && hasMidBlock && midBlockAttends)
    }
    if let wrong = attending.first(where: { widths[$0] % head != 0 }) {
      throw ConfigurationError(
        entry: "attention_head_dim", given: "\(head)", expected: "a divisor of \(widths[wrong]) channels")
    }
  }
}
