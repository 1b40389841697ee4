/// A constant around the values, per axis before and after.
struct Pad: Operation {
  let before: [Int]
  let after: [Int]
  let value: Float
  var onnxName: String { "Pad" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let shape = inputs[0].shape
    require(
      before.count == shape.count && after.count == shape.count && (before + after).allSatisfy { $0 >= 0 },
      "pad: \(before) before and \(after) after for \(shape.shapeText)")
    return [TensorSpec(shape.indices.map { before[$0] + shape[$0] + after[$0] })]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let source = inputs[0].cast(to: .float32).rowMajor()
    let shape = outputs(for: [source.spec])[0].shape
    let strides = shape.rowMajorStrides
    let inner = source.shape.last ?? 1
    let start = zip(before, strides).map(*).reduce(0, +)
    let result = source.withUnsafeValues { values in
      Tensor(shape) { result in
        result.update(repeating: value)
        guard values.count > 0 else { return }
        var cursor = Odometer(shape: source.shape.dropLast(), strides: strides.dropLast())
        for row in 0..<(values.count / inner) {
          let target = result.baseAddress! + start + cursor.offset
          target.update(from: values.baseAddress! + row * inner, count: inner)
          cursor.advance()
        }
      }
    }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let shape = context.inputSpecs[0].shape
    return [
      shape.indices.reduce(context.upstream) { gradient, axis in
        gradient.sliced(axis, before[axis]..<(before[axis] + shape[axis]))
      }
    ]
  }
}

/// What the values around the edge are made of.
public enum PaddingMode: Hashable, Sendable {
  /// This value everywhere.
  case constant(Float)
  /// Mirrored without repeating the edge: c b a b c.
  case reflect
  /// The edge repeated: a a a b c.
  case replicate
}

extension Tensor {
  /// Surrounded by more values along each axis.
  public func padded(before: [Int], after: [Int], _ mode: PaddingMode = .constant(0)) -> Tensor {
    if (before + after).allSatisfy({ $0 == 0 }) { return self }
    if case .constant(let value) = mode { return Pad(before: before, after: after, value: value)(self) }
    return shape.indices.reduce(self) { result, axis in
      guard before[axis] + after[axis] > 0 else { return result }
      let extent = shape[axis]
      require(
        mode == .replicate || Swift.max(before[axis], after[axis]) < extent,
        "reflection by \(Swift.max(before[axis], after[axis])) of an axis of \(extent) elements")
      let indices = (-before[axis]..<(extent + after[axis])).map { position in
        if mode == .replicate { return Swift.min(Swift.max(position, 0), extent - 1) }
        let mirrored = Swift.abs(position)
        return mirrored < extent ? mirrored : 2 * (extent - 1) - mirrored
      }
      return result.taking(indices, axis: axis)
    }
  }

  /// The spatial axes of N×C×spatial surrounded by more values.
  public func padded(spatially padding: Padding, _ mode: PaddingMode = .constant(0)) -> Tensor {
    padded(before: [0, 0] + padding.before, after: [0, 0] + padding.after, mode)
  }
}
