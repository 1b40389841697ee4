import COneDNN

/// oneDNN's softmax and log-softmax over the last axis of row-major values.
struct SoftmaxKernel: Hashable, Sendable {
  let isLogarithmic: Bool

  private var algorithm: dnnl_alg_kind_t { isLogarithmic ? dnnl_softmax_log : dnnl_softmax_accurate }

  /// The forward kernel for a row-major layout.
  func forwardPrimitive(_ layout: MemoryDescriptor) -> Primitive {
    PrimitiveCache.primitive(.init(operation: self, role: "softmax", descriptors: [layout])) {
      makeForward(layout)
    }
  }

  private func makeForward(_ layout: MemoryDescriptor) -> Primitive {
    var description = dnnl_softmax_v2_desc_t()
    var raw = layout.raw
    OneDNN.check(
      dnnl_softmax_v2_forward_desc_init(
        &description, dnnl_forward_training, algorithm, &raw, &raw, layout.raw.ndims - 1), "softmax")
    return Primitive.make(description)!
  }

  /// A row with a NaN or ∞ in it, or with nothing but −∞, has no softmax: all of it becomes NaN.
  func forward(_ input: Tensor) -> Tensor {
    let source = input.rowMajor()
    return InvalidArithmetic.checked {
      fastForward(source)
    } careful: { result in
      var result = result
      let extent = source.shape.last ?? 1
      source.withUnsafeValues { values in
        result.withUnsafeMutableValues { result in
          for start in stride(from: 0, to: values.count, by: max(extent, 1)) {
            let row = values[start..<start + extent]
            guard row.contains(where: \.isNaN) || row.max()?.isInfinite ?? false else { continue }
            for index in row.indices { result[index] = .nan }
          }
        }
      }
      return result
    }
  }

  private func fastForward(_ source: Tensor) -> Tensor {
    let primitive = forwardPrimitive(source.descriptor)
    let result = Tensor(source.descriptor, shape: source.shape)
    primitive.execute([.init(DNNL_ARG_SRC, source), .init(DNNL_ARG_DST, result)])
    return result
  }

  func backward(_ output: Tensor, _ upstream: Tensor) -> Tensor {
    InvalidArithmetic.checked {
      fastBackward(output, upstream)
    } careful: {
      BroadcastLoop.keepingNaN(of: output, in: $0)
    }
  }

  private func fastBackward(_ output: Tensor, _ upstream: Tensor) -> Tensor {
    let layout = output.descriptor
    let primitive = PrimitiveCache.primitive(
      .init(operation: self, role: "softmax, gradient", descriptors: [layout])
    ) {
      var description = dnnl_softmax_v2_desc_t()
      var raw = layout.raw
      OneDNN.check(
        dnnl_softmax_v2_backward_desc_init(&description, algorithm, &raw, &raw, &raw, layout.raw.ndims - 1),
        "softmax's gradient")
      return Primitive.make(description, hint: makeForward(layout).hint)!
    }
    let result = Tensor(layout, shape: output.shape)
    primitive.execute([
      .init(DNNL_ARG_DST, output), .init(DNNL_ARG_DIFF_DST, upstream.rowMajor()),
      .init(DNNL_ARG_DIFF_SRC, result),
    ])
    return result
  }
}
