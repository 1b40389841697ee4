import AviaryLayers
import AviaryWeights

extension DenoisingUNet.Configuration: NetworkConfiguration {
  /// Writes the entries that ``init(from:)`` reads.
  public func encode(to encoder: any Encoder) throws {
    func words(_ kinds: [DenoisingUNet.BlockKind], _ name: String) -> JSONValue {
      .array(kinds.map { .string($0 == .attention ? "Attn\(name)" : name) })
    }
    func list(_ numbers: [Int]) -> JSONValue { .array(numbers.map { .integer($0) }) }
    let entries: [String: JSONValue] = [
      "sample_size": sampleSize.map(list) ?? .null,
      "in_channels": .integer(inChannels),
      "out_channels": .integer(outChannels),
      "center_input_sample": .bool(centersInput),
      "time_embedding_dim": timeEmbeddingWidth.map { .integer($0) } ?? .null,
      "freq_shift": .integer(frequencyShift),
      "flip_sin_to_cos": .bool(cosineFirst),
      "down_block_types": words(downBlockTypes, "DownBlock2D"),
      "up_block_types": words(upBlockTypes, "UpBlock2D"),
      "block_out_channels": list(blockOutChannels),
      "layers_per_block": .integer(layersPerBlock),
      "mid_block_type": hasMidBlock ? .string("UNetMidBlock2D") : .null,
      "add_attention": .bool(midBlockAttends),
      "mid_block_scale_factor": .number(Double(midBlockScaleFactor)),
      "downsample_padding": .integer(downsamplePadding),
      "dropout": .number(Double(dropout)),
      "attention_head_dim": attentionHeadChannels.map { .integer($0) } ?? .null,
      "norm_num_groups": .integer(normGroups),
      "norm_eps": .number(normEpsilon.asWritten),
      "num_class_embeds": classCount.map { .integer($0) } ?? .null,
    ]
    try entries.encode(to: encoder)
  }

  public func makeNetwork() -> any Network { DenoisingUNet(self) }

  public func adopting(_ weights: WeightArchive) -> Self {
    var result = self
    result.inChannels = weights.extent(1, of: "conv_in.weight") ?? inChannels
    result.outChannels = weights.extent(0, of: "conv_out.weight") ?? outChannels
    // Other weights without the table are of a network without classes.
    if weights.spec("conv_in.weight") != nil {
      result.classCount = weights.extent(0, of: "class_embedding.weight")
    }
    return result
  }

  public static var doubtful: [(name: String, values: [JSONValue])] {
    [
      ("flip_sin_to_cos", [.bool(true), .bool(false)]), ("freq_shift", [.integer(0), .integer(1)]),
      ("downsample_padding", [.integer(0), .integer(1)]),
      ("attention_head_dim", [.null, .integer(8), .integer(32), .integer(64)]),
      ("norm_eps", [.number(1e-5), .number(1e-6)]), ("center_input_sample", [.bool(true), .bool(false)]),
    ]
  }
}

extension Float {
  /// The double whose shortest decimal form is this number's: 1e-06, and not what its bits are as a double.
  var asWritten: Double { Double("\(self)") ?? Double(self) }
}

extension DenoisingUNet: SizedNetwork {
  public func check(_ inputs: NamedTensors) throws(SignatureError) {
    let shape = inputs["sample"].shape
    guard shape[2...].contains(where: { $0 % granularity != 0 }) else { return }
    throw SignatureError(
      name: "sample", given: shape.shapeText, expected: "multiples of \(granularity) as height and width")
  }
}

extension DenoisingUNet {
  static let entries = [
    ZooEntry(
      "ddpm_cifar10", .generation,
      [
        Dialect(
          "diffusers", nameMaps: ["diffusers_old_unet"], Configuration.ddpmCIFAR10,
          hasConfigurationFile: true,
          TaskBinding(settings: [schedulerKey: publishedSchedule], companions: [scheduleFile]))
      ]),
    ZooEntry(
      "ddpm_mnist", .generation,
      [
        Dialect(
          "diffusers", Configuration.ddpmMNIST, hasConfigurationFile: true,
          TaskBinding(
            labels: .set(.digits),
            settings: [
              schedulerKey: digitSchedule, "null_class": .integer(10), "guidance": .number(1.5),
              "steps": .integer(40),
            ]))
      ]),
  ]
}
