/// A function of one tensor, element by element, that follows the layout of its input.
struct Eltwise: Operation {
  let onnxName: String
  let kernel: EltwiseKernel

  init(_ onnxName: String, _ function: EltwiseKernel.Function, alpha: Float = 0, beta: Float = 0) {
    self.onnxName = onnxName
    kernel = EltwiseKernel(function: function, alpha: alpha, beta: beta)
  }

  /// min(max(x, low), high); the gradient passes inside the range only.
  static func clip(_ low: Float, _ high: Float) -> Eltwise { Eltwise("Clip", .clip, alpha: low, beta: high) }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    require(
      inputs[0].dtype.isFloatingPoint, "\(onnxName): floating-point values needed, not \(inputs[0].dtype)")
    return [TensorSpec(inputs[0].shape)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    [kernel.forward(inputs[0].cast(to: .float32))]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    if kernel.function == .linear { return [context.upstream.affine(scale: kernel.alpha, shift: 0)] }
    let known = keeps == .outputs ? context.output(0) : context.input(0)
    return [kernel.backward(known.cast(to: .float32), context.upstream)]
  }

  /// The result of a ReLU has the sign of its input, which is all the gradient asks for, and the next layer keeps it anyway.
  var keeps: Kept {
    switch kernel.function {
    case .linear: []
    case .relu where kernel.alpha >= 0: .outputs
    default: .inputs
    }
  }
}

extension Tensor {
  /// `scale`·x + `shift`.
  public func affine(scale: Float, shift: Float) -> Tensor {
    Eltwise("Mul", .linear, alpha: scale, beta: shift)(self)
  }
  /// min(max(x, low), high).
  public func clipped(_ low: Float, _ high: Float) -> Tensor { Eltwise.clip(low, high)(self) }
  /// eˣ.
  public func exp() -> Tensor { Eltwise("Exp", .exponential)(self) }
  /// The natural logarithm; −∞ of 0, NaN of negative numbers.
  public func log() -> Tensor { Eltwise("Log", .logarithm)(self) }
  /// √x; NaN of negative numbers.
  public func squareRoot() -> Tensor { Eltwise("Sqrt", .squareRoot)(self) }
  /// x².
  public func square() -> Tensor { Eltwise("Mul", .square)(self) }
  /// |x|.
  public func abs() -> Tensor { Eltwise("Abs", .absolute)(self) }
  /// xᵖ.
  public func power(_ exponent: Float) -> Tensor { Eltwise("Pow", .power, alpha: 1, beta: exponent)(self) }
}
