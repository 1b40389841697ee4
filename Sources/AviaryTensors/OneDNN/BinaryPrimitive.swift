import COneDNN

/// oneDNN's arithmetic of two tensors, the second one repeated along axes of one element.
struct BinaryKernel: Hashable, Sendable {
  /// Quotients are not among them: oneDNN divides zeros by zeros where its vectors reach over the end of a row, and raises the flag of
  /// ``InvalidArithmetic``.
  enum Function: String, Sendable { case add, subtract, multiply, maximum, minimum }

  let function: Function
  var finishing: [PostOperation] = []

  /// The kernel for operands that lie as described, the result lying as the first; nil where only the reference loop could do it.
  func primitive(_ a: MemoryDescriptor, _ b: MemoryDescriptor) -> Primitive? {
    let primitive = PrimitiveCache.primitive(.init(operation: self, role: "binary", descriptors: [a, b])) {
      var description = dnnl_binary_desc_t()
      var (x, y, result) = (a.raw, b.raw, a.raw)
      OneDNN.check(
        dnnl_binary_desc_init(&description, function.algorithm, &x, &y, &result),
        "\(function) of \(a.shape.shapeText) and \(b.shape.shapeText)")
      return Primitive.make(description, finishing: finishing, isDivisible: true)!
    }
    return primitive.implementation.hasPrefix("ref") ? nil : primitive
  }
}

extension BinaryKernel.Function {
  fileprivate var algorithm: dnnl_alg_kind_t {
    switch self {
    case .add: dnnl_binary_add
    case .subtract: dnnl_binary_sub
    case .multiply: dnnl_binary_mul
    case .maximum: dnnl_binary_max
    case .minimum: dnnl_binary_min
    }
  }

  /// Whether the operands may change places.
  var isCommutative: Bool { self != .subtract }
}

extension Arithmetic {
  /// nil for what oneDNN lacks or does not do well.
  var binaryFunction: BinaryKernel.Function? { BinaryKernel.Function(rawValue: kind.rawValue) }
}
