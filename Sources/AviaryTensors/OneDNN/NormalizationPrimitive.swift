import COneDNN

/// oneDNN's batch normalization: per channel, in whatever layout the input lies.
struct BatchNormKernel: Hashable, Sendable {
  let epsilon: Float
  /// Statistics are given instead of computed from the batch.
  let usesGivenStatistics: Bool
  /// The result goes through a ReLU.
  var rectifies = false

  var withoutReLU: BatchNormKernel {
    BatchNormKernel(epsilon: epsilon, usesGivenStatistics: usesGivenStatistics)
  }

  private var flags: UInt32 {
    dnnl_use_scale.rawValue | dnnl_use_shift.rawValue
      | (usesGivenStatistics ? dnnl_use_global_stats.rawValue : 0)
      | (rectifies ? dnnl_fuse_norm_relu.rawValue : 0)
  }

  private func makeForward(_ layout: MemoryDescriptor, isTraining: Bool) -> Primitive {
    var description = dnnl_batch_normalization_desc_t()
    var raw = layout.raw
    OneDNN.check(
      dnnl_batch_normalization_forward_desc_init(
        &description, isTraining ? dnnl_forward_training : dnnl_forward_inference, &raw, epsilon, flags),
      "batch normalization")
    return Primitive.make(description)!
  }

  /// The forward kernel for an input and result that lie as described.
  func forwardPrimitive(_ layout: MemoryDescriptor, isTraining: Bool = false) -> Primitive {
    PrimitiveCache.primitive(
      .init(operation: self, role: isTraining ? "batch norm, training" : "batch norm", descriptors: [layout])
    ) { makeForward(layout, isTraining: isTraining) }
  }

  /// Mean and variance (divided by n) are read or written, as ``usesGivenStatistics`` says. The workspace is what the gradient
  /// of a ReLU needs.
  func forward(
    _ input: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor, isTraining: Bool
  ) -> (result: Tensor, workspace: Tensor?) {
    let source = input.isDense ? input : input.rowMajor()
    let layout = source.descriptor
    let primitive = forwardPrimitive(layout, isTraining: isTraining)
    let result = Tensor(layout, shape: input.shape)
    var arguments: [Primitive.Argument] = [
      .init(DNNL_ARG_SRC, source), .init(DNNL_ARG_SCALE, scale), .init(DNNL_ARG_SHIFT, shift),
      .init(DNNL_ARG_MEAN, mean), .init(DNNL_ARG_VARIANCE, variance), .init(DNNL_ARG_DST, result),
    ]
    let workspace = primitive.makeWorkspace()
    if let workspace { arguments.append(primitive.workspace(workspace)) }
    primitive.execute(arguments)
    return (result, workspace)
  }

  func backward(
    _ input: Tensor, _ upstream: Tensor, scale: Tensor, mean: Tensor, variance: Tensor, workspace: Tensor?
  ) -> (input: Tensor, scale: Tensor, shift: Tensor) {
    let source = input.isDense ? input : input.rowMajor()
    let layout = source.descriptor
    let primitive = PrimitiveCache.primitive(
      .init(operation: self, role: "batch norm, gradient", descriptors: [layout])
    ) {
      var description = dnnl_batch_normalization_desc_t()
      var raw = layout.raw
      OneDNN.check(
        dnnl_batch_normalization_backward_desc_init(&description, dnnl_backward, &raw, &raw, epsilon, flags),
        "batch normalization's gradient")
      return Primitive.make(description, hint: makeForward(layout, isTraining: true).hint)!
    }
    let channels = MemoryDescriptor.rowMajor([input.shape[1]])
    let result = Tensor(layout, shape: input.shape)
    let scaleGradient = Tensor(channels, shape: [input.shape[1]])
    let shiftGradient = Tensor(channels, shape: [input.shape[1]])
    var arguments: [Primitive.Argument] = [
      .init(DNNL_ARG_SRC, source), .init(DNNL_ARG_MEAN, mean), .init(DNNL_ARG_VARIANCE, variance),
      // The shift changes no gradient, but this version counts it among the operands.
      .init(DNNL_ARG_SCALE, scale), .init(DNNL_ARG_SHIFT, scale),
      .init(DNNL_ARG_DIFF_DST, upstream.reordered(to: layout)),
      .init(DNNL_ARG_DIFF_SRC, result), .init(DNNL_ARG_DIFF_SCALE, scaleGradient),
      .init(DNNL_ARG_DIFF_SHIFT, shiftGradient),
    ]
    if let workspace { arguments.append(primitive.workspace(workspace)) }
    primitive.execute(arguments)
    return (result, scaleGradient, shiftGradient)
  }
}

/// oneDNN's layer normalization: over the last axis of row-major values.
struct LayerNormKernel: Hashable, Sendable {
  let epsilon: Float
  private static let flags = dnnl_use_scale.rawValue | dnnl_use_shift.rawValue

  /// The forward kernel that keeps no statistics.
  func inferencePrimitive(_ shape: Shape) -> Primitive {
    PrimitiveCache.primitive(
      .init(operation: self, role: "layer norm, inference", descriptors: [.rowMajor(shape)])
    ) { makeForward(shape, dnnl_forward_inference) }
  }

  private func makeForward(_ shape: Shape, _ purpose: dnnl_prop_kind_t = dnnl_forward_training) -> Primitive {
    var description = dnnl_layer_normalization_desc_t()
    var (data, statistics) = (
      MemoryDescriptor.rowMajor(shape).raw, MemoryDescriptor.rowMajor(shape.dropLast()).raw
    )
    OneDNN.check(
      dnnl_layer_normalization_forward_desc_init(
        &description, purpose, &data, &statistics, epsilon, LayerNormKernel.flags),
      "layer normalization")
    return Primitive.make(description)!
  }

  /// For an input of rank 2 or more, the statistics having one value per row.
  func forward(_ input: Tensor, scale: Tensor, shift: Tensor) -> (
    result: Tensor, mean: Tensor, variance: Tensor
  ) {
    let source = input.rowMajor()
    let rows = Array(input.shape.dropLast())
    let primitive = PrimitiveCache.primitive(
      .init(operation: self, role: "layer norm", descriptors: [source.descriptor])
    ) { makeForward(input.shape) }
    let result = Tensor(.rowMajor(input.shape), shape: input.shape)
    let mean = Tensor(.rowMajor(rows), shape: rows)
    let variance = Tensor(.rowMajor(rows), shape: rows)
    primitive.execute([
      .init(DNNL_ARG_SRC, source), .init(DNNL_ARG_SCALE, scale), .init(DNNL_ARG_SHIFT, shift),
      .init(DNNL_ARG_MEAN, mean), .init(DNNL_ARG_VARIANCE, variance), .init(DNNL_ARG_DST, result),
    ])
    return (result, mean, variance)
  }

  func backward(
    _ input: Tensor, _ upstream: Tensor, scale: Tensor, mean: Tensor, variance: Tensor
  ) -> (input: Tensor, scale: Tensor, shift: Tensor) {
    let source = input.rowMajor()
    let primitive = PrimitiveCache.primitive(
      .init(operation: self, role: "layer norm, gradient", descriptors: [source.descriptor])
    ) {
      var description = dnnl_layer_normalization_desc_t()
      var (data, statistics) = (source.descriptor.raw, mean.descriptor.raw)
      OneDNN.check(
        dnnl_layer_normalization_backward_desc_init(
          &description, dnnl_backward, &data, &data, &statistics, epsilon, LayerNormKernel.flags),
        "layer normalization's gradient")
      return Primitive.make(description, hint: makeForward(input.shape).hint)!
    }
    let result = Tensor(.rowMajor(input.shape), shape: input.shape)
    let scaleGradient = Tensor(scale.descriptor, shape: scale.shape)
    let shiftGradient = Tensor(scale.descriptor, shape: scale.shape)
    primitive.execute([
      .init(DNNL_ARG_SRC, source), .init(DNNL_ARG_MEAN, mean), .init(DNNL_ARG_VARIANCE, variance),
      .init(DNNL_ARG_SCALE, scale), .init(DNNL_ARG_SHIFT, scale),
      .init(DNNL_ARG_DIFF_DST, upstream.rowMajor()),
      .init(DNNL_ARG_DIFF_SRC, result), .init(DNNL_ARG_DIFF_SCALE, scaleGradient),
      .init(DNNL_ARG_DIFF_SHIFT, shiftGradient),
    ])
    return (result, scaleGradient, shiftGradient)
  }
}
