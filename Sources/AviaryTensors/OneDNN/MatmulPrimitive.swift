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
    let primitive = primitive(
      a.descriptor, packs ? .any(b.shape) : b.descriptor, hasBias: bias != nil, shape: shape)
    let result = Tensor(.rowMajor(shape), shape: shape)
    let weights = packs ? b.packed(to: primitive.descriptor(.weights(0))) : b
    var arguments: [Primitive.Argument] = [
      .init(DNNL_ARG_SRC, a), .init(DNNL_ARG_WEIGHTS, weights), .init(DNNL_ARG_DST, result),
    ]
    if let bias { arguments.append(.init(DNNL_ARG_BIAS, bias.rowMajor().reshaped(biasShape(shape)))) }
    primitive.execute(arguments)
    return result
  }

  /// A bias as oneDNN wants it: one value per column, as many axes as the result.
  static func biasShape(_ result: Shape) -> Shape {
    Shape(repeating: 1, count: result.count - 1) + [result[result.count - 1]]
  }

  /// Whether the last two axes lie as a matrix or its transpose.
  static func reads(strides: [Int], shape: Shape) -> Bool {
    let (rows, columns) = (strides[shape.count - 2], strides[shape.count - 1])
    let isMatrix = columns == 1 && rows >= shape[shape.count - 1]
    let isTransposed = rows == 1 && columns >= shape[shape.count - 2]
    let repeats = zip(strides, shape).contains { $0 == 0 && $1 > 1 }
    return (isMatrix || isTransposed) && !repeats
  }

  private struct Configuration: Hashable, Sendable {
    let hasBias: Bool
    let finishing: [PostOperation]
  }

  /// The kernel for operands that lie as described; the result is row-major unless said otherwise.
  static func primitive(
    _ a: MemoryDescriptor, _ b: MemoryDescriptor, hasBias: Bool, shape: Shape,
    finishing: [PostOperation] = [],
    result: MemoryDescriptor? = nil
  ) -> Primitive {
    let configuration = Configuration(hasBias: hasBias, finishing: finishing)
    let result = result ?? .rowMajor(shape)
    return PrimitiveCache.primitive(
      .init(operation: configuration, role: "matmul", descriptors: [a, b, result])
    ) {
      var description = dnnl_matmul_desc_t()
      var (x, w, y) = (a.raw, b.raw, result.raw)
      var bias = MemoryDescriptor.rowMajor(biasShape(shape)).raw
      OneDNN.check(
        withUnsafePointer(to: &bias) { dnnl_matmul_desc_init(&description, &x, &w, hasBias ? $0 : nil, &y) },
        "a product of \(a.shape.shapeText) and \(b.shape.shapeText)")
      return Primitive.make(description, finishing: finishing, isDivisible: true)!
    }
  }
}

extension Tensor {
  /// Itself when the last two axes lie as a matrix or its transpose, which kernels read directly; else row-major.
  fileprivate func matrixView() -> Tensor {
    guard case .strided(let strides, _) = plain().layout else { return plain() }
    return MatmulKernel.reads(strides: strides, shape: shape) ? self : rowMajor()
  }
}
