import AviaryLayers
import AviaryTensors

/// The U-Net that predicts the noise in a picture (Ho, Jain & Abbeel 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239,
/// appendix B): residual blocks that know the time step, with attention over the pixels at some resolutions.
///
/// `sample` N×C×H×W and integer `timesteps` N, where the configuration has classes also integer `class_labels` N, to `noise` N×C×H×W; H and W are multiples of what the blocks halve. Names as in diffusers'
/// `UNet2DModel`.
public final class DenoisingUNet: Network {
  /// 3×3 from the sample to the first block's channels.
  package let convIn: Conv2d
  /// From the features of the time steps to the embedding N×E that all blocks read.
  package let timeEmbedding: TimestepEmbedding
  /// What each class adds to the embedding of time; nil where the configuration has none.
  package let classEmbedding: Embedding?
  /// The way down, the highest resolution first.
  package let downBlocks: [DownBlock]
  /// The way up, the lowest resolution first.
  package let upBlocks: [UpBlock]
  /// Between the two ways; nil where the configuration has none.
  package let midBlock: MidBlock?
  /// Of the way up's result, before SiLU and the last convolution.
  package let convNormOut: GroupNorm
  /// 3×3 to the noise.
  package let convOut: Conv2d
  /// What the network was built from.
  public let configuration: Configuration

  /// A network with first values, ready to be trained.
  public init(_ configuration: Configuration) {
    self.configuration = configuration
    let widths = configuration.blockOutChannels
    convIn = Conv2d(configuration.inChannels, widths[0], kernel: 3, padding: 1)
    timeEmbedding = TimestepEmbedding(widths[0], configuration.timeWidth)
    classEmbedding = configuration.classCount.map {
      Embedding(vocabulary: $0, width: configuration.timeWidth)
    }
    downBlocks = widths.indices.map { index in
      DownBlock(
        index == 0 ? widths[0] : widths[index - 1], widths[index], configuration.downBlockTypes[index],
        isLast: index == widths.count - 1, configuration)
    }
    midBlock = configuration.hasMidBlock ? MidBlock(widths[widths.count - 1], configuration) : nil
    upBlocks = widths.indices.map { index in
      let place = widths.count - 1 - index
      return UpBlock(
        below: widths[min(place + 1, widths.count - 1)], widths[place], above: widths[max(place - 1, 0)],
        configuration.upBlockTypes[index], isLast: place == 0, configuration)
    }
    convNormOut = configuration.norm(widths[0])
    convOut = Conv2d(widths[0], configuration.outChannels, kernel: 3, padding: 1)
  }

  /// `sample` and `timesteps` to `noise`.
  public var signature: Signature {
    Signature(
      inputs: [
        TensorPort("sample", ["N", .fixed(configuration.inChannels), "H", "W"]),
        TensorPort("timesteps", ["N"], .int64),
      ] + (configuration.classCount.map { [TensorPort("class_labels", ["N"], .int64, below: $0)] } ?? []),
      outputs: [TensorPort("noise", ["N", .fixed(configuration.outChannels), "H", "W"])])
  }

  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    ["noise": noise(in: inputs["sample"], at: inputs["timesteps"], of: inputs[ifPresent: "class_labels"])]
  }

  /// What heights and widths are multiples of, since all blocks but the last halve them.
  var granularity: Int { 1 << (downBlocks.count - 1) }

  /// The noise in samples N×C×H×W at time steps N, of classes N where the configuration has some.
  public func noise(in sample: Tensor, at timesteps: Tensor, of classes: Tensor? = nil) -> Tensor {
    require(
      sample.rank == 4 && sample.shape[2...].allSatisfy { $0 % granularity == 0 },
      "height and width of \(sample.shape.shapeText) are no multiples of \(granularity)")
    require((classes == nil) == (classEmbedding == nil), "classes are given to the network that knows some")
    var time = timeEmbedding(configuration.timeFeatures(timesteps))  // N×E
    if let classEmbedding, let classes { time = time + classEmbedding(classes) }
    var hidden = convIn(configuration.centersInput ? sample.affine(scale: 2, shift: -1) : sample)
    var skips = [hidden]
    for block in downBlocks { hidden = block(hidden, time: time, keeping: &skips) }
    if let midBlock { hidden = midBlock(hidden, time: time) }
    for block in upBlocks { hidden = block(hidden, time: time, taking: &skips) }
    return convOut(Activation.silu(convNormOut(hidden)))
  }
}

/// Residual blocks of one resolution, then half of it.
package final class DownBlock: Module {
  /// The residual blocks; the first one changes the number of channels.
  package let resnets: [TimedResidualBlock]
  /// As many as residual blocks, or none.
  package let attentions: [PixelAttention]
  /// One that halves the resolution; none in the last block.
  package let downsamplers: [Downsample]

  init(
    _ inputs: Int, _ outputs: Int, _ kind: DenoisingUNet.BlockKind, isLast: Bool,
    _ configuration: DenoisingUNet.Configuration
  ) {
    resnets = (0..<configuration.layersPerBlock).map {
      TimedResidualBlock($0 == 0 ? inputs : outputs, outputs, configuration)
    }
    attentions = kind == .attention ? resnets.map { _ in PixelAttention(outputs, configuration) } : []
    downsamplers = isLast ? [] : [Downsample(outputs, padding: configuration.downsamplePadding)]
  }

  /// The result and all on the way to it are appended to `skips`.
  package func callAsFunction(_ input: Tensor, time: Tensor, keeping skips: inout [Tensor]) -> Tensor {
    var hidden = input
    for (index, resnet) in resnets.enumerated() {
      hidden = resnet(hidden, time: time)
      if !attentions.isEmpty { hidden = attentions[index](hidden) }
      skips.append(hidden)
    }
    for downsampler in downsamplers {
      hidden = downsampler(hidden)
      skips.append(hidden)
    }
    return hidden
  }
}

/// Two residual blocks with attention between them at the lowest resolution.
package final class MidBlock: Module {
  /// One, between the residual blocks, or none.
  package let attentions: [PixelAttention]
  /// The two residual blocks.
  package let resnets: [TimedResidualBlock]

  init(_ channels: Int, _ configuration: DenoisingUNet.Configuration) {
    let scale = configuration.midBlockScaleFactor
    attentions =
      configuration.midBlockAttends ? [PixelAttention(channels, configuration, scale: scale)] : []
    resnets = (0..<2).map { _ in TimedResidualBlock(channels, channels, configuration, scale: scale) }
  }

  /// Features N×C×H×W and the embedding of time N×E to N×C×H×W.
  package func callAsFunction(_ input: Tensor, time: Tensor) -> Tensor {
    let first = resnets[0](input, time: time)
    return resnets[1](attentions.first?(first) ?? first, time: time)
  }
}

/// Residual blocks of one resolution, each joined with what the way down kept, then twice the resolution.
package final class UpBlock: Module {
  /// The residual blocks, each reading what came before it and one of the kept tensors.
  package let resnets: [TimedResidualBlock]
  /// As many as residual blocks, or none.
  package let attentions: [PixelAttention]
  /// One that doubles the resolution; none in the last block.
  package let upsamplers: [Upsample]

  /// `below` and `above` are the widths of the next lower and the next higher resolution.
  init(
    below: Int, _ outputs: Int, above: Int, _ kind: DenoisingUNet.BlockKind, isLast: Bool,
    _ configuration: DenoisingUNet.Configuration
  ) {
    // One block more than on the way down: the downsampled tensor of the resolution above was kept too.
    let count = configuration.layersPerBlock + 1
    resnets = (0..<count).map { index in
      let skip = index == count - 1 ? above : outputs
      return TimedResidualBlock((index == 0 ? below : outputs) + skip, outputs, configuration)
    }
    attentions = kind == .attention ? resnets.map { _ in PixelAttention(outputs, configuration) } : []
    upsamplers = isLast ? [] : [Upsample(outputs)]
  }

  /// The last of `skips` are used up.
  package func callAsFunction(_ input: Tensor, time: Tensor, taking skips: inout [Tensor]) -> Tensor {
    var hidden = input
    for (index, resnet) in resnets.enumerated() {
      hidden = resnet(concatenate([hidden, skips.removeLast()], axis: 1), time: time)
      if !attentions.isEmpty { hidden = attentions[index](hidden) }
    }
    return upsamplers.reduce(hidden) { $1($0) }
  }
}
