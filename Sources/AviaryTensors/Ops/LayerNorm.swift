/// Layer normalization (Ba et al. 2016): each row of the last axis to mean 0 and variance 1, then scaled and shifted.
struct LayerNormalization: Operation {
  let epsilon: Float
  var onnxName: String { "LayerNormalization" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let x = inputs[0].shape
    require(
      x.count >= 2 && inputs[1].shape == [x[x.count - 1]] && inputs[2].shape == inputs[1].shape,
      "layer normalization of \(x.shapeText) with a scale of \(inputs[1].shape.shapeText)")
    return [TensorSpec(x)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let operands = inputs.map { $0.cast(to: .float32).rowMajor() }
    let (result, mean, variance) = LayerNormKernel(epsilon: epsilon)
      .forward(operands[0], scale: operands[1], shift: operands[2])
    context.save(mean)
    context.save(variance)
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let result = LayerNormKernel(epsilon: epsilon).backward(
      context.input(0).cast(to: .float32), context.upstream,
      scale: context.input(1).cast(to: .float32).rowMajor(),
      mean: context.saved[0], variance: context.saved[1])
    return [result.input, result.scale, result.shift]
  }
}

/// Normalizes the last axes of `x`, those that `scale` and `shift` have.
public func layerNormalized(_ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float) -> Tensor {
  let outer = Array(x.shape.dropLast(scale.rank))
  require(
    Array(x.shape.suffix(scale.rank)) == scale.shape,
    "layer normalization of \(x.shape.shapeText) over \(scale.shape.shapeText)")
  let rows = x.reshaped([outer.elementCount, scale.count])
  return LayerNormalization(epsilon: epsilon)(rows, scale.reshaped([-1]), shift.reshaped([-1])).reshaped(
    x.shape)
}

/// Group normalization (Wu & He 2018) of `x` (N×C×spatial): mean and variance over each group of channels of each sample.
///
/// It is layer normalization of one row per group and sample, for which there are fast kernels, and then a scale and a shift per channel.
/// As many groups as channels is instance normalization.
public func groupNormalized(
  _ x: Tensor, groups: Int, scale: Tensor, shift: Tensor, epsilon: Float
) -> Tensor {
  let (samples, channels) = (x.shape[0], x.shape[1])
  require(
    groups > 0 && channels % groups == 0, "group normalization: \(channels) channels in \(groups) groups")
  let rows = x.reshaped([samples * groups, -1])
  let row: Shape = [rows.shape[1]]
  let normalized = layerNormalized(rows, scale: .ones(row), shift: .zeros(row), epsilon: epsilon)
  let perChannel = [channels] + Shape(repeating: 1, count: x.rank - 2)
  return normalized.reshaped(x.shape) * scale.reshaped(perChannel) + shift.reshaped(perChannel)
}

/// Root-mean-square normalization (Zhang & Sennrich 2019) of the last axis: x / √(mean(x²) + ε) · scale.
public func rmsNormalized(_ x: Tensor, scale: Tensor, epsilon: Float) -> Tensor {
  x * (x.square().mean([-1], keepsAxes: true) + epsilon).power(-0.5) * scale
}
