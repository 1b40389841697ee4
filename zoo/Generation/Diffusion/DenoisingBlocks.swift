import AviaryLayers
import AviaryTensors

/// y = F(x, t) + x with two convolutions, between which the embedding of time is added to each channel.
package final class TimedResidualBlock: Module {
  /// Of the input, before SiLU and the first convolution.
  package let norm1: GroupNorm
  /// 3×3 to the block's channels.
  package let conv1: Conv2d
  /// From the embedding of time N×E to what each channel is shifted by, N×O.
  package let timeEmbProj: Linear
  /// Of the shifted features, before SiLU, dropout and the second convolution.
  package let norm2: GroupNorm
  /// Before the second convolution, while training.
  package let dropout: Dropout
  /// 3×3, channels as they are.
  package let conv2: Conv2d
  /// A 1×1 convolution in place of x where the number of channels changes.
  package let convShortcut: Conv2d?
  private let scale: Float

  init(_ inputs: Int, _ outputs: Int, _ configuration: DenoisingUNet.Configuration, scale: Float = 1) {
    norm1 = configuration.norm(inputs)
    conv1 = Conv2d(inputs, outputs, kernel: 3, padding: 1)
    timeEmbProj = Linear(configuration.timeWidth, outputs)
    norm2 = configuration.norm(outputs)
    dropout = Dropout(configuration.dropout)
    conv2 = Conv2d(outputs, outputs, kernel: 3, padding: 1)
    convShortcut = inputs == outputs ? nil : Conv2d(inputs, outputs, kernel: 1)
    self.scale = scale
  }

  /// - Parameters:
  ///   - input: N×C×H×W.
  ///   - time: N×E.
  package func callAsFunction(_ input: Tensor, time: Tensor) -> Tensor {
    let shift = timeEmbProj(Activation.silu(time))  // N×O
    let hidden =
      conv1(Activation.silu(norm1(input))) + shift.reshaped(shift.shape + [1, 1])  // N×O×H×W
    let residual = conv2(dropout(Activation.silu(norm2(hidden))))
    return ((convShortcut?(input) ?? input) + residual).divided(by: scale)
  }
}

/// Self-attention over all pixels, with a residual connection around it.
package final class PixelAttention: Module {
  /// Of the input, before queries, keys and values are made.
  package let groupNorm: GroupNorm
  /// From pixels to queries, N×HW×C.
  package let toQ: Linear
  /// From pixels to keys, N×HW×C.
  package let toK: Linear
  /// From pixels to values, N×HW×C.
  package let toV: Linear
  /// One linear map, in a list as diffusers has it.
  package let toOut: [Linear]
  private let heads: Int
  private let scale: Float

  init(_ channels: Int, _ configuration: DenoisingUNet.Configuration, scale: Float = 1) {
    groupNorm = configuration.norm(channels)
    toQ = Linear(channels, channels)
    toK = Linear(channels, channels)
    toV = Linear(channels, channels)
    toOut = [Linear(channels, channels)]
    heads = configuration.heads(channels)
    self.scale = scale
  }

  /// N×C×H×W to the same.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    let (samples, channels) = (input.shape[0], input.shape[1])
    let tokens = groupNorm(input).reshaped([samples, channels, -1]).transposed()  // N×HW×C
    let looked = attention(
      toQ(tokens).heads(heads), toK(tokens).heads(heads), toV(tokens).heads(heads))  // N×heads×HW×C/heads
    let result = toOut[0](looked.mergedHeads()).transposed().reshaped(input.shape)
    return (result + input).divided(by: scale)
  }
}

extension Tensor {
  /// The residual sum's scale is nearly always 1.
  fileprivate func divided(by scale: Float) -> Tensor { scale == 1 ? self : self / scale }
}

/// Half the height and width by a convolution of stride 2.
package final class Downsample: Layer {
  /// 3×3 with a stride of 2, channels as they are.
  package let conv: Conv2d

  /// Without padding, zeros come below and to the right alone, as in the first DDPM, written for TensorFlow.
  init(_ channels: Int, padding: Int) {
    conv = Conv2d(
      channels, channels, kernel: 3, stride: 2,
      padding: padding == 0 ? .explicit(before: 0, after: 1) : .symmetric(Extents(padding)))
  }

  /// N×C×H×W to N×C×H/2×W/2.
  package func callAsFunction(_ input: Tensor) -> Tensor { conv(input) }
}

/// Twice the height and width: every pixel four times, then a convolution.
package final class Upsample: Layer {
  /// 3×3 on the enlarged features, channels as they are.
  package let conv: Conv2d

  init(_ channels: Int) { conv = Conv2d(channels, channels, kernel: 3, padding: 1) }

  /// N×C×H×W to N×C×2H×2W.
  package func callAsFunction(_ input: Tensor) -> Tensor {
    conv(input.interpolated(to: [2 * input.shape[2], 2 * input.shape[3]], .nearest))
  }
}
