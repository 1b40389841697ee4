/// Batch normalization (Ioffe & Szegedy 2015): ŷ = γ (x − μ)/√(σ² + ε) + β per channel of N×C×spatial.
///
/// With statistics of the batch: inputs x, γ, β; results y, μ and σ² (divided by n).
/// With given statistics: inputs x, γ, β, μ, σ²; result y.
struct BatchNormalization: Operation {
  let epsilon: Float
  let usesGivenStatistics: Bool
  /// The result goes through a ReLU in the same pass over memory.
  var rectifies = false

  var onnxName: String { "BatchNormalization" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let x = inputs[0].shape
    require(
      x.count >= 2 && inputs.dropFirst().allSatisfy { $0.shape == [x[1]] },
      "batch normalization of \(x.shapeText) with parameters \(inputs.dropFirst().map(\.shape.shapeText))")
    let result = TensorSpec(x)
    return usesGivenStatistics ? [result] : [result, TensorSpec([x[1]]), TensorSpec([x[1]])]
  }

  private var kernel: BatchNormKernel {
    BatchNormKernel(epsilon: epsilon, usesGivenStatistics: usesGivenStatistics, rectifies: rectifies)
  }

  /// Whether the input has to be row-major: the channels that fill up a block have no variance, and without an ε no number divides by that; what
  /// reads the block would find NaN in them.
  func needsRowMajor(_ input: Shape) -> Bool {
    epsilon == 0 && input[1] % MemoryDescriptor.largestChannelBlock != 0
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let operands = inputs.enumerated().map { index, input in
      index == 0 && !needsRowMajor(input.shape)
        ? input.cast(to: .float32) : input.cast(to: .float32).rowMajor()
    }
    var (mean, variance) = (operands[usesGivenStatistics ? 3 : 0], operands[usesGivenStatistics ? 4 : 0])
    if !usesGivenStatistics {
      let channels: Shape = [inputs[0].shape[1]]
      mean = Tensor(.rowMajor(channels), shape: channels)
      variance = Tensor(.rowMajor(channels), shape: channels)
    }
    let isTraining = context.isRecording || !usesGivenStatistics
    func normalized(_ kernel: BatchNormKernel) -> (result: Tensor, workspace: Tensor?) {
      kernel.forward(
        operands[0], scale: operands[1], shift: operands[2], mean: mean, variance: variance,
        isTraining: isTraining)
    }
    let (result, workspace) = InvalidArithmetic.checked {
      normalized(kernel)
    } careful: { fast in
      guard rectifies else { return fast }
      let result = EltwiseKernel(function: .relu).forward(normalized(kernel.withoutReLU).result)
      return (result, result)
    }
    context.save(mean)
    context.save(variance)
    if let workspace { context.save(workspace) }
    return usesGivenStatistics ? [result] : [result, mean, variance]
  }

  /// The statistics of the batch are results without a gradient of their own: they feed running averages only.
  func gradient(_ context: GradientContext) -> [Tensor?] {
    guard var upstream = context.outputGradients[0] else { return context.inputSpecs.map { _ in nil } }
    var kernel = kernel
    var workspace = context.saved.count > 2 ? context.saved[2] : nil
    if let result = workspace, result.dtype == .float32 {
      // The ReLU was done by itself, since a NaN was met.
      upstream = BroadcastLoop.masked(upstream, where: result)
      (kernel, workspace) = (kernel.withoutReLU, nil)
    }
    var input = context.input(0).cast(to: .float32)
    if needsRowMajor(input.shape) { (input, upstream) = (input.rowMajor(), upstream.rowMajor()) }
    let result = kernel.backward(
      input, upstream, scale: context.input(1).rowMajor(),
      mean: context.saved[0],
      variance: context.saved[1], workspace: workspace)
    return [result.input, result.scale, result.shift] + (usesGivenStatistics ? [nil, nil] : [])
  }
}

/// Normalizes each channel of `x` (N×C×spatial) by the batch's own mean and variance (divided by n), which are returned too;
/// the result goes through a ReLU when it `rectifies`.
public func batchNormalized(
  _ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float, rectifies: Bool = false
) -> (result: Tensor, mean: Tensor, variance: Tensor) {
  let results = BatchNormalization(epsilon: epsilon, usesGivenStatistics: false, rectifies: rectifies)
    .apply([x, scale, shift])
  return (results[0], results[1].detached, results[2].detached)
}

/// Normalizes each channel of `x` (N×C×spatial) by the given mean and variance.
public func batchNormalized(
  _ x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor, epsilon: Float,
  rectifies: Bool = false
) -> Tensor {
  BatchNormalization(epsilon: epsilon, usesGivenStatistics: true, rectifies: rectifies)(
    x, scale, shift, mean.detached, variance.detached)
}
