import COneDNN

/// Concatenation of float32 tensors in any mixture of layouts; oneDNN chooses the result's.
func concatenatedByOneDNN(_ inputs: [Tensor], axis: Int, shape: Shape) -> Tensor {
  let sources = inputs.map { input in
    let strides = input.descriptor.plainStrides
    return strides?.contains(0) == true ? input.rowMajor() : input
  }
  let descriptors = sources.map(\.descriptor)
  let primitive = Primitive.concatenation(descriptors, axis: axis, shape: shape)
  let result = Tensor(primitive.descriptor(.destination(0)), shape: shape)
  primitive.execute(
    sources.enumerated().map { index, source in .init(DNNL_ARG_MULTIPLE_SRC + Int32(index), source) }
      + [.init(DNNL_ARG_DST, result)])
  return result
}

extension Primitive {
  /// The kernel that puts tensors of the given layouts one after another.
  static func concatenation(_ descriptors: [MemoryDescriptor], axis: Int, shape: Shape) -> Primitive {
    PrimitiveCache.primitive(
      .init(operation: "concat \(axis)", role: "concat", descriptors: descriptors)
    ) {
      Primitive.withAttributes { attributes in
        var result: dnnl_primitive_desc_t?
        var target = MemoryDescriptor.any(shape, descriptors[0].dtype).raw
        OneDNN.check(
          dnnl_concat_primitive_desc_create(
            &result, &target, Int32(descriptors.count), Int32(axis), descriptors.map(\.raw), attributes,
            OneDNN.engine.value), "a concatenation")
        return Primitive(consuming: result!)
      }
    }
  }
}
