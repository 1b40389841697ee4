/// Conversion between element types. The gradient passes between floating-point types.
struct Cast: Operation {
  let target: DType
  var onnxName: String { "Cast" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] { [TensorSpec(inputs[0].shape, target)] }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let source = inputs[0].rowMajor()
    switch source.dtype {
    case .float32: return [convert(source, Float.self) { $0 }]
    case .float16: return [convert(source, Float16.self) { Float($0) }]
    case .bfloat16: return [convert(source, BFloat16.self) { $0.floatValue }]
    case .int32: return [convert(source, Int32.self) { Double($0) }]
    case .int64: return [convert(source, Int64.self) { Double($0) }]
    case .uint8: return [convert(source, UInt8.self) { Float($0) }]
    case .bool: return [convert(source, Bool.self) { $0 ? Float(1) : 0 }]
    }
  }

  private func convert<From: TensorScalar, Middle: BinaryFloatingPoint>(
    _ source: Tensor, _ type: From.Type, _ read: (From) -> Middle
  ) -> Tensor {
    switch target {
    case .float32: map(source, read) { Float($0) }
    case .float16: map(source, read) { Float16($0) }
    case .bfloat16: map(source, read) { BFloat16(Float($0)) }
    case .int32: map(source, read) { $0.isFinite ? Int32(clamping: Int64($0.bounded)) : 0 }
    case .int64: map(source, read) { $0.isFinite ? Int64($0.bounded) : 0 }
    case .uint8: map(source, read) { $0.isFinite ? UInt8(clamping: Int64($0.bounded)) : 0 }
    case .bool: map(source, read) { $0 != 0 }
    }
  }

  @inline(__always)
  private func map<From: TensorScalar, Middle, To: TensorScalar>(
    _ source: Tensor, _ read: (From) -> Middle, _ write: (Middle) -> To
  ) -> Tensor {
    source.withUnsafeValues(of: From.self) { values in
      Tensor(source.shape, of: To.self) { result in
        Parallel.forEachRange(values.count, grain: 32_768) { range in
          for i in range { result[i] = write(read(values[i])) }
        }
      }
    }
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    [context.upstream.cast(to: context.inputSpecs[0].dtype)]
  }
}

extension BinaryFloatingPoint {
  /// Cut to what a 64-bit integer holds.
  fileprivate var bounded: Self { Swift.min(Swift.max(self, -0x1p62), 0x1p62) }
}

extension Tensor {
  /// The same values in another type; itself when it already has it. Conversion to integers cuts off the fraction and the excess.
  public func cast(to dtype: DType) -> Tensor { dtype == self.dtype ? self : Cast(target: dtype)(self) }
}
