import COneDNN

/// An element-by-element function that oneDNN has kernels for, in whatever layout the tensor lies.
struct EltwiseKernel: Hashable, Sendable {
  enum Function: String, Sendable {
    case relu, tanh, elu, square, absolute, squareRoot, linear, softplus, logistic, exponential, geluTanh,
      geluErf
    case swish, logarithm, clip, power, hardSwish

    fileprivate var algorithm: dnnl_alg_kind_t {
      switch self {
      case .relu: dnnl_eltwise_relu
      case .tanh: dnnl_eltwise_tanh
      case .elu: dnnl_eltwise_elu
      case .square: dnnl_eltwise_square
      case .absolute: dnnl_eltwise_abs
      case .squareRoot: dnnl_eltwise_sqrt
      case .linear: dnnl_eltwise_linear
      case .softplus: dnnl_eltwise_soft_relu
      case .logistic: dnnl_eltwise_logistic
      case .exponential: dnnl_eltwise_exp
      case .geluTanh: dnnl_eltwise_gelu_tanh
      case .geluErf: dnnl_eltwise_gelu_erf
      case .swish: dnnl_eltwise_swish
      case .logarithm: dnnl_eltwise_log
      case .clip: dnnl_eltwise_clip
      case .power: dnnl_eltwise_pow
      case .hardSwish: dnnl_eltwise_hardswish
      }
    }
  }

  let function: Function
  var alpha: Float = 0
  var beta: Float = 0

  func forward(_ input: Tensor) -> Tensor {
    if input.count == 0 { return input }
    let source = input.isDense ? input : input.rowMajor()
    let descriptor = source.descriptor
    let primitive = PrimitiveCache.primitive(
      .init(operation: self, role: "eltwise", descriptors: [descriptor])
    ) {
      var description = dnnl_eltwise_desc_t()
      var raw = descriptor.raw
      OneDNN.check(
        dnnl_eltwise_forward_desc_init(
          &description, dnnl_forward_training, function.algorithm, &raw, alpha, beta), function.rawValue)
      return Primitive.make(description)!
    }
    let result = Tensor(descriptor, shape: input.shape)
    primitive.execute([.init(DNNL_ARG_SRC, source), .init(DNNL_ARG_DST, result)])
    return result
  }

  /// The gradient at `input`, which takes over the input's layout.
  func backward(_ input: Tensor, _ upstream: Tensor) -> Tensor {
    if input.count == 0 { return upstream }
    let source = input.isDense ? input : input.rowMajor()
    let descriptor = source.descriptor
    let primitive = PrimitiveCache.primitive(
      .init(operation: self, role: "eltwise backward", descriptors: [descriptor])
    ) {
      var raw = descriptor.raw
      var forward = dnnl_eltwise_desc_t()
      var backward = dnnl_eltwise_desc_t()
      OneDNN.check(
        dnnl_eltwise_forward_desc_init(
          &forward, dnnl_forward_training, function.algorithm, &raw, alpha, beta),
        function.rawValue)
      OneDNN.check(
        dnnl_eltwise_backward_desc_init(&backward, function.algorithm, &raw, &raw, alpha, beta),
        function.rawValue)
      return Primitive.make(backward, hint: Primitive.make(forward)!.hint)!
    }
    let result = Tensor(descriptor, shape: input.shape)
    primitive.execute([
      .init(DNNL_ARG_SRC, source), .init(DNNL_ARG_DIFF_DST, upstream.reordered(to: descriptor)),
      .init(DNNL_ARG_DIFF_SRC, result),
    ])
    return result
  }
}
