/// Element-by-element comparison with broadcasting; the result is Boolean and has no gradient.
struct Comparison: Operation {
  enum Kind: String, Sendable { case equal, less, greater, lessOrEqual, greaterOrEqual }

  let kind: Kind

  var onnxName: String {
    switch kind {
    case .equal: "Equal"
    case .less: "Less"
    case .greater: "Greater"
    case .lessOrEqual: "LessOrEqual"
    case .greaterOrEqual: "GreaterOrEqual"
    }
  }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    guard let shape = broadcast(inputs[0].shape, inputs[1].shape) else {
      requirementFailure(
        "\(kind): \(inputs[0].shape.shapeText) and \(inputs[1].shape.shapeText) do not fit together")
    }
    require(inputs[0].dtype == inputs[1].dtype, "\(kind): \(inputs[0].dtype) against \(inputs[1].dtype)")
    return [TensorSpec(shape, .bool)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    switch inputs[0].dtype {
    case .int32: [compare(inputs, Int32.self)]
    case .int64: [compare(inputs, Int64.self)]
    case .uint8, .bool: [compare(inputs, UInt8.self)]
    case .float32, .float16, .bfloat16: [compare(inputs.map { $0.cast(to: .float32) }, Float.self)]
    }
  }

  private func compare<Scalar: TensorScalar & Comparable>(_ inputs: [Tensor], _ type: Scalar.Type) -> Tensor {
    let shape = broadcast(inputs[0].shape, inputs[1].shape)!
    return BroadcastLoop.run(ComparisonFunction<Scalar>(kind: kind), inputs[0], inputs[1], shape: shape)
  }

  func gradient(_ context: GradientContext) -> [Tensor?] { [nil, nil] }
}

extension Tensor {
  /// Where elements of one type are equal, with broadcasting; Boolean, without a gradient. NaN equals nothing.
  public static func .== (a: Tensor, b: Tensor) -> Tensor { Comparison(kind: .equal)(a, b) }
  /// Where `a` is less than `b`; see ``.==(_:_:)`` for types and shapes.
  public static func .< (a: Tensor, b: Tensor) -> Tensor { Comparison(kind: .less)(a, b) }
  /// Where `a` is greater than `b`; see ``.==(_:_:)`` for types and shapes.
  public static func .> (a: Tensor, b: Tensor) -> Tensor { Comparison(kind: .greater)(a, b) }
  /// Where `a` is at most `b`; see ``.==(_:_:)`` for types and shapes.
  public static func .<= (a: Tensor, b: Tensor) -> Tensor { Comparison(kind: .lessOrEqual)(a, b) }
  /// Where `a` is at least `b`; see ``.==(_:_:)`` for types and shapes.
  public static func .>= (a: Tensor, b: Tensor) -> Tensor { Comparison(kind: .greaterOrEqual)(a, b) }
}
