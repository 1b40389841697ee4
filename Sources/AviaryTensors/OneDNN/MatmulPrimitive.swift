import COneDNN

/// Products of matrices, batched, on strided views of either operand.
enum MatmulKernel {
  /// `a` (…×M×K) by `b` (…×K×N); batch axes of one element are repeated. `packs` keeps a copy of `b` in the kernel's layout.
  static func run(_ a: Tensor, _ b: Tensor, bias: Tensor? = nil, shape: Shape, packs: Bool = false) -> Tensor
  {
    if shape.elementCount == 0 { return Tensor.zeros(shape) }
    if a.shape[a.rank - 1] == 0 { return Tensor.zeros(shape) }
    let a = a.matrixView()
    let b = b.matrixView()
    let descriptors = [a.descriptor, packs ? MemoryDescriptor.any(b.shape) : b.descriptor]
    let biasShape = bias.map { Shape(repeating: 1, count: shape.count - 1) + [$0.count] }
    let key = PrimitiveCache.Key(
      operation: packs ? "packed" : "strided", role: "matmul",
      descriptors: descriptors + (biasShape.map { [.rowMajor($0)] } ?? [])
    )
    let primitive = PrimitiveCache.primitive(key) {
      var description = dnnl_matmul_desc_t()
      var (x, w, y) = (descriptors[0].raw, descriptors[1].raw, MemoryDescriptor.rowMajor(shape).raw)
      var offset = biasShape.map { MemoryDescriptor.rowMajor($0).raw } ?? dnnl_memory_desc_t()
      OneDNN.check(
        withUnsafePointer(to: &offset) {
          dnnl_matmul_desc_init(&description, &x, &w, biasShape == nil ? nil : $0, &y)
        },
        "a product of \(a.shape.shapeText) and \(b.shape.shapeText)")
      return Primitive.make(description)!
    }
    let result = Tensor(.rowMajor(shape), shape: shape)
    let weights = packs ? b.packed(to: primitive.descriptor(.weights(0))) : b
    var arguments: [Primitive.Argument] = [
      .init(DNNL_ARG_SRC, a), .init(DNNL_ARG_WEIGHTS, weights), .init(DNNL_ARG_DST, result),
    ]
    if let bias, let biasShape { arguments.append(.init(DNNL_ARG_BIAS, bias.rowMajor().reshaped(biasShape))) }
    primitive.execute(arguments)
    return result
  }
}

extension Tensor {
  /// Itself when the last two axes lie as a matrix or its transpose, which kernels read directly; else row-major.
  fileprivate func matrixView() -> Tensor {
    guard case .strided(let strides, _) = plain().layout else { return plain() }
    let (rows, columns) = (strides[rank - 2], strides[rank - 1])
    let isMatrix = columns == 1 && rows >= shape[rank - 1]
    let isTransposed = rows == 1 && columns >= shape[rank - 2]
    let repeats = zip(strides, shape).contains { $0 == 0 && $1 > 1 }
    return (isMatrix || isTransposed) && !repeats ? self : rowMajor()
  }
}
