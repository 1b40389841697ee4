import COneDNN

/// oneDNN's pooling in whatever layout the input lies.
struct PoolingKernel: Hashable, Sendable {
  let kind: Pooling.Kind
  let kernel: [Int]
  let geometry: ConvolutionGeometry
  let output: Shape

  private var algorithm: dnnl_alg_kind_t {
    switch kind {
    case .maximum: dnnl_pooling_max
    case .average(countsPadding: true): dnnl_pooling_avg_include_padding
    case .average(countsPadding: false): dnnl_pooling_avg_exclude_padding
    }
  }

  private func makeForward(_ source: MemoryDescriptor, isTraining: Bool) -> Primitive {
    var description = dnnl_pooling_v2_desc_t()
    var (x, y) = (source.raw, MemoryDescriptor.any(output, source.dtype).raw)
    OneDNN.check(
      dnnl_pooling_v2_forward_desc_init(
        &description, isTraining ? dnnl_forward_training : dnnl_forward_inference, algorithm, &x, &y,
        geometry.stride.map(Int64.init), kernel.map(Int64.init), geometry.dilation.map { Int64($0 - 1) },
        geometry.padding.before.map(Int64.init), geometry.padding.after.map(Int64.init)), "pooling")
    return Primitive.make(description, isDivisible: true)!
  }

  /// The forward kernel for an input that lies as described.
  func forwardPrimitive(_ source: MemoryDescriptor, isTraining: Bool = false) -> Primitive {
    PrimitiveCache.primitive(
      .init(operation: self, role: isTraining ? "pooling, training" : "pooling", descriptors: [source])
    ) { makeForward(source, isTraining: isTraining) }
  }

  /// The result and, for a maximum in training, where each one was found.
  func forward(_ input: Tensor, isTraining: Bool) -> (result: Tensor, workspace: Tensor?) {
    let source = input.isDense ? input : input.rowMajor()
    let primitive = forwardPrimitive(source.descriptor, isTraining: isTraining)
    let result = Tensor(primitive.descriptor(.destination(0)), shape: output)
    var arguments: [Primitive.Argument] = [.init(DNNL_ARG_SRC, source), .init(DNNL_ARG_DST, result)]
    let workspace = primitive.makeWorkspace()
    if let workspace { arguments.append(primitive.workspace(workspace)) }
    primitive.execute(arguments)
    return (result, workspace)
  }

  func backward(_ input: MemoryDescriptor, shape: Shape, _ upstream: Tensor, workspace: Tensor?) -> Tensor {
    let primitive = PrimitiveCache.primitive(
      .init(operation: self, role: "pooling, gradient", descriptors: [input])
    ) {
      let forward = makeForward(input, isTraining: true)
      var description = dnnl_pooling_v2_desc_t()
      var (x, y) = (input.raw, forward.descriptor(.destination(0)).raw)
      OneDNN.check(
        dnnl_pooling_v2_backward_desc_init(
          &description, algorithm, &x, &y, geometry.stride.map(Int64.init), kernel.map(Int64.init),
          geometry.dilation.map { Int64($0 - 1) }, geometry.padding.before.map(Int64.init),
          geometry.padding.after.map(Int64.init)), "pooling's gradient")
      return Primitive.make(description, hint: forward.hint)!
    }
    let result = Tensor(input, shape: shape)
    var arguments: [Primitive.Argument] = [
      .init(DNNL_ARG_DIFF_DST, upstream.reordered(to: primitive.descriptor(.differentialDestination(0)))),
      .init(DNNL_ARG_DIFF_SRC, result),
    ]
    if let workspace { arguments.append(primitive.workspace(workspace)) }
    primitive.execute(arguments)
    return result
  }
}

extension Primitive {
  /// Memory for what a forward run leaves for the backward one; nil when it leaves nothing. Only the primitive understands it.
  func makeWorkspace() -> Tensor? {
    let layout = descriptor(.workspace)
    guard layout.raw.ndims > 0 else { return nil }
    return Tensor(shape: [layout.byteCount], dtype: .uint8, storage: Storage(byteCount: layout.byteCount))
  }

  /// The operand of either run.
  func workspace(_ tensor: Tensor) -> Argument {
    Argument(DNNL_ARG_WORKSPACE, descriptor(.workspace), tensor)
  }
}
