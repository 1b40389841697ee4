import COneDNN

/// oneDNN's local response normalization across channels.
struct LocalResponseKernel: Hashable, Sendable {
  let size: Int
  let alpha: Float
  let beta: Float
  let k: Float

  private func makeForward(_ layout: MemoryDescriptor) -> Primitive {
    var description = dnnl_lrn_desc_t()
    var raw = layout.raw
    OneDNN.check(
      dnnl_lrn_forward_desc_init(
        &description, dnnl_forward_training, dnnl_lrn_across_channels, &raw, Int64(size), alpha, beta, k),
      "local response normalization")
    return Primitive.make(description)!
  }

  func forward(_ input: Tensor) -> (result: Tensor, workspace: Tensor?) {
    let source = input.isDense ? input : input.rowMajor()
    let layout = source.descriptor
    let primitive = PrimitiveCache.primitive(.init(operation: self, role: "LRN", descriptors: [layout])) {
      makeForward(layout)
    }
    let result = Tensor(layout, shape: input.shape)
    var arguments: [Primitive.Argument] = [.init(DNNL_ARG_SRC, source), .init(DNNL_ARG_DST, result)]
    let workspace = primitive.makeWorkspace()
    if let workspace { arguments.append(primitive.workspace(workspace)) }
    primitive.execute(arguments)
    return (result, workspace)
  }

  func backward(_ input: Tensor, _ upstream: Tensor, workspace: Tensor?) -> Tensor {
    let source = input.isDense ? input : input.rowMajor()
    let layout = source.descriptor
    let primitive = PrimitiveCache.primitive(
      .init(operation: self, role: "LRN, gradient", descriptors: [layout])
    ) {
      var description = dnnl_lrn_desc_t()
      var raw = layout.raw
      OneDNN.check(
        dnnl_lrn_backward_desc_init(
          &description, dnnl_lrn_across_channels, &raw, &raw, Int64(size), alpha, beta, k),
        "local response normalization's gradient")
      return Primitive.make(description, hint: makeForward(layout).hint)!
    }
    let result = Tensor(layout, shape: input.shape)
    var arguments: [Primitive.Argument] = [
      .init(DNNL_ARG_SRC, source), .init(DNNL_ARG_DIFF_DST, upstream.reordered(to: layout)),
      .init(DNNL_ARG_DIFF_SRC, result),
    ]
    if let workspace { arguments.append(primitive.workspace(workspace)) }
    primitive.execute(arguments)
    return result
  }
}
