import COneDNN

/// oneDNN's product of a matrix, row-major as checkpoints have it, and one vector.
///
/// All there is to do is to read the weights once: this kernel reads several rows at a time and gets a fifth more from memory than the
/// matrix product with weights in blocks (9216 to 4096 on two cores: 34 and 27 GB/s). Nothing needs to be packed.
struct InnerProductKernel: Hashable, Sendable {
  let inputs: Int
  let outputs: Int
  let hasBias: Bool
  var finishing: [PostOperation] = []

  /// The kernel for a source 1×inputs, weights outputs×inputs, a bias of outputs values and a result 1×outputs.
  var primitive: Primitive {
    PrimitiveCache.primitive(.init(operation: self, role: "inner product", descriptors: [])) {
      var description = dnnl_inner_product_desc_t()
      var (x, w) = (
        MemoryDescriptor.rowMajor([1, inputs]).raw, MemoryDescriptor.rowMajor([outputs, inputs]).raw
      )
      var (bias, y) = (MemoryDescriptor.rowMajor([outputs]).raw, MemoryDescriptor.rowMajor([1, outputs]).raw)
      OneDNN.check(
        withUnsafePointer(to: &bias) {
          dnnl_inner_product_forward_desc_init(
            &description, dnnl_forward_inference, &x, &w, hasBias ? $0 : nil, &y)
        }, "a product of \(outputs)×\(inputs) weights and a vector")
      return Primitive.make(description, finishing: finishing)!
    }
  }

  func run(_ x: Tensor, _ w: Tensor, bias: Tensor?) -> Tensor {
    let result = Tensor(.rowMajor([1, outputs]), shape: [1, outputs])
    var arguments: [Primitive.Argument] = [
      .init(DNNL_ARG_SRC, x.rowMajor()), .init(DNNL_ARG_WEIGHTS, w), .init(DNNL_ARG_DST, result),
    ]
    if let bias { arguments.append(.init(DNNL_ARG_BIAS, bias.rowMajor())) }
    primitive.execute(arguments)
    return result
  }
}
