/// Arithmetic of two tensors with broadcasting: float32 throughout, and 32- and 64-bit integers.
struct Arithmetic: Operation {
  enum Kind: String, Sendable { case add, subtract, multiply, divide, maximum, minimum, power }

  let kind: Kind

  var onnxName: String {
    switch kind {
    case .add: "Add"
    case .subtract: "Sub"
    case .multiply: "Mul"
    case .divide: "Div"
    case .maximum: "Max"
    case .minimum: "Min"
    case .power: "Pow"
    }
  }

  var keeps: Kept { kind == .add || kind == .subtract ? [] : .inputs }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    guard let shape = broadcast(inputs[0].shape, inputs[1].shape) else {
      requirementFailure(
        "\(kind): \(inputs[0].shape.shapeText) and \(inputs[1].shape.shapeText) do not fit together")
    }
    let types = Set(inputs.map { $0.dtype.isFloatingPoint ? .float32 : $0.dtype })
    require(types.count == 1, "\(kind): \(inputs[0].dtype) and \(inputs[1].dtype) do not mix")
    return [TensorSpec(shape, types.first!)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let shape = outputs(for: inputs.map(\.spec))[0].shape
    switch inputs[0].dtype {
    case .int32: return [integers(inputs[0], inputs[1], shape, Int32.self)]
    case .int64: return [integers(inputs[0], inputs[1], shape, Int64.self)]
    default: return [floats(inputs[0].cast(to: .float32), inputs[1].cast(to: .float32), shape)]
    }
  }

  private func floats(_ a: Tensor, _ b: Tensor, _ shape: Shape) -> Tensor {
    switch kind {
    case .add: loop(Sum(), a, b, shape)
    case .subtract: loop(Difference(), a, b, shape)
    case .multiply: loop(Product(), a, b, shape)
    case .divide: loop(Quotient(), a, b, shape)
    case .maximum: loop(Larger(), a, b, shape)
    case .minimum: loop(Smaller(), a, b, shape)
    case .power: loop(Power(), a, b, shape)
    }
  }

  /// Over the bytes as they lie where that is possible, else in logical order.
  private func loop<Function: BinaryFunction>(
    _ function: Function, _ a: Tensor, _ b: Tensor, _ shape: Shape
  ) -> Tensor where Function.Operand == Float, Function.Result == Float {
    if a.shape == shape, b.shape == shape, a.isBlockedOrPermuted || b.isBlockedOrPermuted,
      a.isDense || b.isDense
    {
      let layout = a.isDense ? a.descriptor : b.descriptor
      if function.keepsZero || !layout.isPadded {
        return BroadcastLoop.runFlat(function, a.reordered(to: layout), b.reordered(to: layout))
      }
    }
    return BroadcastLoop.run(function, a, b, shape: shape)
  }

  private func integers<Scalar: TensorScalar & FixedWidthInteger>(
    _ a: Tensor, _ b: Tensor, _ shape: Shape, _ type: Scalar.Type
  ) -> Tensor {
    BroadcastLoop.run(IntegerFunction<Scalar>(kind: kind), a, b, shape: shape)
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let upstream = context.upstream
    var left: Tensor?
    var right: Tensor?
    switch kind {
    case .add: (left, right) = (upstream, upstream)
    case .subtract: (left, right) = (upstream, context.needs(1) ? -upstream : nil)
    case .multiply:
      left = context.needs(0) ? upstream * context.input(1) : nil
      right = context.needs(1) ? upstream * context.input(0) : nil
    case .divide:
      let quotient = upstream / context.input(1)
      left = quotient
      right = context.needs(1) ? -(quotient * context.input(0) / context.input(1)) : nil
    case .maximum, .minimum:
      let (a, b) = (context.input(0), context.input(1))
      // Where both are equal each gets half, beside a NaN both get all, as in PyTorch.
      let (larger, zero, one) = (kind == .maximum ? a : b, Tensor(Float(0)), Tensor(Float(1)))
      let smaller = kind == .maximum ? b : a
      func share(losing loses: Tensor) -> Tensor {
        select(a .== b, Tensor(Float(0.5)), select(loses, zero, one))
      }
      left = upstream * share(losing: larger .< smaller)
      right = upstream * share(losing: larger .> smaller)
    case .power:
      let (a, b) = (context.input(0), context.input(1))
      left = context.needs(0) ? upstream * b * a.power(b - 1) : nil
      right = context.needs(1) ? upstream * a.power(b) * a.log() : nil
    }
    return [left, right].enumerated().map { index, gradient in
      context.needs(index) ? gradient?.summed(to: context.inputSpecs[index].shape) : nil
    }
  }
}

extension Tensor {
  /// The sum, element by element with broadcasting; int32 and int64 wrap around, the other types are added as float32.
  public static func + (a: Tensor, b: Tensor) -> Tensor { Arithmetic(kind: .add)(a, b) }
  /// The difference, element by element with broadcasting; types as for the sum.
  public static func - (a: Tensor, b: Tensor) -> Tensor { Arithmetic(kind: .subtract)(a, b) }
  /// The product, element by element with broadcasting; types as for the sum.
  public static func * (a: Tensor, b: Tensor) -> Tensor { Arithmetic(kind: .multiply)(a, b) }
  /// The quotient, element by element with broadcasting; integers are cut off towards 0, and those divided by 0 give 0.
  public static func / (a: Tensor, b: Tensor) -> Tensor { Arithmetic(kind: .divide)(a, b) }
  /// −x of every element of a floating-point tensor.
  public static prefix func - (a: Tensor) -> Tensor { a * -1 }

  /// `b` added to every element of a floating-point tensor.
  public static func + (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1, shift: b) }
  /// `b` subtracted from every element of a floating-point tensor.
  public static func - (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1, shift: -b) }
  /// Every element of a floating-point tensor multiplied by `b`.
  public static func * (a: Tensor, b: Float) -> Tensor { a.affine(scale: b, shift: 0) }
  /// Every element of a floating-point tensor divided by `b`.
  public static func / (a: Tensor, b: Float) -> Tensor { a / Tensor(b) }
  /// `a` added to every element of a floating-point tensor.
  public static func + (a: Float, b: Tensor) -> Tensor { b + a }
  /// `a` minus every element of a floating-point tensor.
  public static func - (a: Float, b: Tensor) -> Tensor { b.affine(scale: -1, shift: a) }
  /// Every element of a floating-point tensor multiplied by `a`.
  public static func * (a: Float, b: Tensor) -> Tensor { b * a }
  /// `a` divided by every element of a floating-point tensor.
  public static func / (a: Float, b: Tensor) -> Tensor { Tensor(a) / b }

  /// Element by element `self` to the power of `exponent`.
  public func power(_ exponent: Tensor) -> Tensor { Arithmetic(kind: .power)(self, exponent) }
}

/// The larger of two tensors, element by element.
public func maximum(_ a: Tensor, _ b: Tensor) -> Tensor { Arithmetic(kind: .maximum)(a, b) }
/// The smaller of two tensors, element by element.
public func minimum(_ a: Tensor, _ b: Tensor) -> Tensor { Arithmetic(kind: .minimum)(a, b) }

extension Tensor {
  /// True when the bytes hold every element exactly once, in whatever order.
  var isDense: Bool {
    switch layout {
    case .rowMajor, .blocked: return true
    case .strided(let strides, _):
      let order = shape.indices.sorted { strides[$0] > strides[$1] }
      return Layout.isDense(order.map { strides[$0] }, order.map { shape[$0] })
    }
  }

  fileprivate var isBlockedOrPermuted: Bool { if case .rowMajor = layout { false } else { true } }

  /// The gradient of a broadcast: summed over the repeated axes.
  func summed(to target: Shape) -> Tensor {
    if shape == target { return self }
    let missing = rank - target.count
    let repeated = shape.indices.filter { $0 < missing || target[$0 - missing] == 1 && shape[$0] != 1 }
    return sum(repeated, keepsAxes: false).reshaped(target)
  }
}
