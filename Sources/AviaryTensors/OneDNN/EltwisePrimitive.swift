import COneDNN

/// An element-by-element function that oneDNN has kernels for, in whatever layout the tensor lies.
struct EltwiseKernel: Hashable, Sendable {
  enum Function: String, Sendable {
    case relu, tanh, elu, square, absolute, squareRoot, linear, softplus, logistic, exponential, geluTanh,
      geluErf
    case swish, logarithm, clip, power, hardSwish

    var algorithm: dnnl_alg_kind_t {
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

  /// The function of a NaN is NaN.
  func forward(_ input: Tensor) -> Tensor {
    if input.count == 0 { return input }
    return InvalidArithmetic.checked {
      fastForward(input)
    } careful: {
      BroadcastLoop.keepingNaN(of: input, in: $0)
    }
  }

  private func fastForward(_ input: Tensor) -> Tensor {
    let primitive = forwardPrimitive(for: denseLayout(of: input))
    let result = Tensor(primitive.descriptor(.destination(0)), shape: input.shape)
    primitive.execute([
      .init(DNNL_ARG_SRC, input.reordered(to: primitive.descriptor(.source(0)))), .init(DNNL_ARG_DST, result),
    ])
    return result
  }

  /// The gradient at `input`, which takes over the input's layout.
  func backward(_ input: Tensor, _ upstream: Tensor) -> Tensor {
    if input.count == 0 { return upstream }
    return InvalidArithmetic.checked {
      fastBackward(input, upstream)
    } careful: { gradient in
      if function == .power {
        return EltwiseKernel(function: .power, alpha: alpha * beta, beta: beta - 1).forward(input) * upstream
      }
      guard let slope = slopeAtNaN else { return BroadcastLoop.keepingNaN(of: input, in: gradient) }
      let isNumber = BroadcastLoop.run(
        ComparisonFunction<Float>(kind: .equal), input, input, shape: input.shape)
      return select(isNumber, gradient, upstream * slope)
    }
  }

  /// What PyTorch takes for the derivative at a NaN, where that is a number.
  private var slopeAtNaN: Float? {
    switch function {
    case .relu: alpha == 0 ? 1 : alpha
    case .clip, .elu, .hardSwish: 1
    case .absolute: 0
    default: nil
    }
  }

  private func fastBackward(_ input: Tensor, _ upstream: Tensor) -> Tensor {
    let primitive = cached("eltwise backward", denseLayout(of: input), makeBackward)
    let result = Tensor(primitive.descriptor(.differentialSource(0)), shape: input.shape)
    primitive.execute([
      .init(DNNL_ARG_SRC, input.reordered(to: primitive.descriptor(.source(0)))),
      .init(DNNL_ARG_DIFF_DST, upstream.reordered(to: primitive.descriptor(.differentialDestination(0)))),
      .init(DNNL_ARG_DIFF_SRC, result),
    ])
    return result
  }

  private func denseLayout(of input: Tensor) -> MemoryDescriptor {
    input.isDense ? input.descriptor : .rowMajor(input.shape)
  }

  /// The forward kernel for a dense layout, or for row-major where `layout` would end in the reference loop.
  func forwardPrimitive(for layout: MemoryDescriptor) -> Primitive { cached("eltwise", layout, makeForward) }

  /// The reference loop is met with blocks filled up with zeros, which functions such as the logistic one would not leave zeros.
  private func cached(
    _ role: String, _ layout: MemoryDescriptor, _ make: (MemoryDescriptor) -> Primitive
  ) -> Primitive {
    PrimitiveCache.primitive(.init(operation: self, role: role, descriptors: [layout])) {
      let primitive = make(layout)
      let isSlow = layout.isPadded && primitive.implementation.hasPrefix("ref")
      return isSlow ? make(.rowMajor(layout.shape)) : primitive
    }
  }

  private func makeForward(_ layout: MemoryDescriptor) -> Primitive {
    var description = dnnl_eltwise_desc_t()
    var raw = layout.raw
    OneDNN.check(
      dnnl_eltwise_forward_desc_init(
        &description, dnnl_forward_training, function.algorithm, &raw, alpha, beta), function.rawValue)
    return Primitive.make(description, isDivisible: true)!
  }

  private func makeBackward(_ layout: MemoryDescriptor) -> Primitive {
    var description = dnnl_eltwise_desc_t()
    var raw = layout.raw
    OneDNN.check(
      dnnl_eltwise_backward_desc_init(&description, function.algorithm, &raw, &raw, alpha, beta),
      function.rawValue)
    return Primitive.make(description, hint: makeForward(layout).hint)!
  }
}
