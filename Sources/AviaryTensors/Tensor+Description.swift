extension Tensor: CustomStringConvertible {
  /// How many elements a description shows.
  private static let shownCount = 6

  /// Shape, type and the first values: `Tensor 2×3 float32 [0.5, -1.0, 0.0, 2.0, 0.25, 1.0]`.
  public var description: String {
    let head = "Tensor \(shape.shapeText) \(dtype)"
    if isAbstract { return head + " without values" }
    let count = Swift.min(count, Self.shownCount)
    let rest = self.count > count ? ", …" : ""
    return head + " [" + shownValues(count).joined(separator: ", ") + rest + "]"
  }

  private func shownValues(_ count: Int) -> [String] {
    func values<Scalar: TensorScalar>(_ type: Scalar.Type) -> [String] {
      withUnsafeValues(of: type) { $0.prefix(count).map { "\($0)" } }
    }
    switch dtype {
    case .float32: return values(Float.self)
    case .int32: return values(Int32.self)
    case .int64: return values(Int64.self)
    case .uint8: return values(UInt8.self)
    case .bool: return values(Bool.self)
    case .float16, .bfloat16: return detached.cast(to: .float32).shownValues(count)
    }
  }
}
