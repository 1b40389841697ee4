/// Cross-correlation over one to three spatial axes, as the field calls convolution.
///
/// Inputs: x N×C×spatial, weights O×(C/groups)×kernel, and optionally a bias of O values.
struct Convolution: Operation {
  let geometry: ConvolutionGeometry
  /// The extents of the kernel along the spatial axes, as those of the weights.
  let kernelExtents: [Int]
  /// The result goes through a ReLU in the same pass over memory.
  var rectifies = false
  var onnxName: String { "Conv" }
  var keeps: Kept { rectifies ? [.inputs, .outputs] : .inputs }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let (x, w) = (inputs[0].shape, inputs[1].shape)
    require(
      x.count == geometry.spatialRank + 2 && w.count == x.count,
      "convolution over \(geometry.spatialRank) axes: input \(x.shapeText), weights \(w.shapeText)")
    require(
      geometry.groups > 0 && x[1] == w[1] * geometry.groups && w[0] % geometry.groups == 0,
      "convolution: an input of \(x[1]) channels, weights \(w.shapeText), \(geometry.groups) groups")
    if inputs.count > 2 {
      require(
        inputs[2].shape == [w[0]], "convolution: a bias of \(inputs[2].shape.shapeText) for \(w[0]) filters")
    }
    let extents = geometry.outputExtents(Array(x.dropFirst(2)), kernel: Array(w.dropFirst(2)))
    return [TensorSpec([x[0], w[0]] + extents)]
  }

  var window: SlidingWindow? {
    SlidingWindow(kernel: kernelExtents, stride: geometry.stride, dilation: geometry.dilation)
  }

  private func kernel(_ inputs: [Shape]) -> ConvolutionKernel {
    ConvolutionKernel(geometry, input: inputs[0], weights: inputs[1], hasBias: inputs.count > 2)
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let operands = inputs.map { $0.cast(to: .float32) }
    var kernel = kernel(inputs.map(\.shape))
    kernel.hasFixedWeights = !context.isRecording
    if rectifies { kernel.finishing = [.activation(EltwiseKernel(function: .relu))] }
    return [kernel.forward(operands[0], operands[1], operands.count > 2 ? operands[2] : nil)]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let kernel = kernel(context.inputSpecs.map(\.shape))
    let upstream =
      rectifies ? BroadcastLoop.masked(context.upstream, where: context.output(0)) : context.upstream
    let x = context.needs(0) ? kernel.inputGradient(upstream, context.input(1).cast(to: .float32)) : nil
    guard context.needs(1) || context.needs(2) else { return [x, nil, nil] }
    let (w, bias) = kernel.weightGradient(context.input(0).cast(to: .float32), upstream)
    return [x, w, bias]
  }

  func multiplyAdds(for inputs: [TensorSpec]) -> Int {
    outputs(for: inputs)[0].shape.elementCount * inputs[1].shape.dropFirst().reduce(1, *)
  }
}

/// Convolution of `x` (N×C×spatial) with `weights` (O×(C/groups)×kernel), through a ReLU when it `rectifies`.
public func convolution(
  _ x: Tensor, _ weights: Tensor, bias: Tensor? = nil, _ geometry: ConvolutionGeometry,
  rectifies: Bool = false
) -> Tensor {
  let extents = Array(weights.shape.dropFirst(2))
  return Convolution(geometry: geometry, kernelExtents: extents, rectifies: rectifies)
    .apply([x, weights] + (bias.map { [$0] } ?? []))[0]
}

/// The transposed convolution: the linear map whose matrix is the transpose of a convolution's.
///
/// Inputs: x N×C×spatial, weights C×(O/groups)×kernel.
struct TransposedConvolution: Operation {
  let geometry: ConvolutionGeometry
  /// Rows and columns added at the end, where a strided convolution would have dropped them.
  let outputPadding: [Int]
  var onnxName: String { "ConvTranspose" }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let (x, w) = (inputs[0].shape, inputs[1].shape)
    require(
      x.count == geometry.spatialRank + 2 && w.count == x.count && x[1] == w[0],
      "transposed convolution over \(geometry.spatialRank) axes: input \(x.shapeText), weights \(w.shapeText)"
    )
    let extents = geometry.transposedExtents(
      Array(x.dropFirst(2)), kernel: Array(w.dropFirst(2)), outputPadding: outputPadding)
    return [TensorSpec([x[0], w[1] * geometry.groups] + extents)]
  }

  /// The convolution this is the transpose of: from our result to our input.
  private func kernel(_ inputs: [TensorSpec]) -> ConvolutionKernel {
    ConvolutionKernel(geometry, input: outputs(for: inputs)[0].shape, weights: inputs[1].shape)
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    var kernel = kernel(inputs.map(\.spec))
    kernel.hasFixedWeights = !context.isRecording
    return [kernel.inputGradient(inputs[0].cast(to: .float32), inputs[1].cast(to: .float32))]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let kernel = kernel(context.inputSpecs)
    let upstream = context.upstream
    return [
      context.needs(0) ? kernel.forward(upstream, context.input(1).cast(to: .float32), nil) : nil,
      context.needs(1) ? kernel.weightGradient(upstream, context.input(0).cast(to: .float32)).weights : nil,
    ]
  }

  func multiplyAdds(for inputs: [TensorSpec]) -> Int {
    inputs[0].shape.elementCount * inputs[1].shape.dropFirst().reduce(1, *)
  }
}

/// Transposed convolution of `x` (N×C×spatial) with `weights` (C×(O/groups)×kernel).
public func transposedConvolution(
  _ x: Tensor, _ weights: Tensor, bias: Tensor? = nil, _ geometry: ConvolutionGeometry,
  outputPadding: [Int]? = nil
) -> Tensor {
  let padding = outputPadding ?? geometry.stride.map { _ in 0 }
  let result = TransposedConvolution(geometry: geometry, outputPadding: padding)(x, weights)
  guard let bias else { return result }
  return result + bias.reshaped([bias.count] + .init(repeating: 1, count: geometry.spatialRank))
}
