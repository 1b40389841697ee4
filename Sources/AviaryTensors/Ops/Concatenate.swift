/// Tensors one after another along an axis, in the layout of the first where that lets bytes be copied in blocks.
struct Concatenate: Operation {
  let axis: Int
  var onnxName: String { "Concat" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    var shape = inputs[0].shape
    for input in inputs.dropFirst() {
      require(
        input.dtype == inputs[0].dtype && input.shape.count == shape.count
          && shape.indices.allSatisfy { $0 == axis || input.shape[$0] == shape[$0] },
        "concatenate: \(input.shape.shapeText) does not fit \(inputs[0].shape.shapeText) along axis \(axis)")
      shape[axis] += input.shape[axis]
    }
    return [TensorSpec(shape, inputs[0].dtype)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let output = outputs(for: inputs.map(\.spec))[0]
    let parts = inputs.filter { $0.count > 0 }
    if output.dtype == .float32,
      parts.contains(where: { if case .rowMajor = $0.layout { false } else { true } })
    {
      return [concatenatedByOneDNN(parts, axis: axis, shape: output.shape)]
    }
    let outer = output.shape[..<axis].reduce(1, *)
    let sources = inputs.map { $0.rowMajor() }
    let result = Tensor(shape: output.shape, dtype: output.dtype) { bytes in
      guard bytes.count > 0 else { return }
      let row = bytes.count / outer
      var offset = 0
      for source in sources {
        let piece = source.byteCount / outer
        source.withUnsafeBytes { from in
          guard piece > 0 else { return }
          for index in 0..<outer {
            (bytes.baseAddress! + index * row + offset)
              .copyMemory(from: from.baseAddress! + index * piece, byteCount: piece)
          }
        }
        offset += piece
      }
    }
    return [result]
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    var start = 0
    return context.inputSpecs.enumerated().map { index, spec in
      defer { start += spec.shape[axis] }
      guard context.needs(index) else { return nil }
      return context.upstream.sliced(axis, start..<(start + spec.shape[axis]))
    }
  }
}

/// `tensors` one after another along `axis`.
public func concatenate(_ tensors: [Tensor], axis: Int) -> Tensor {
  require(!tensors.isEmpty, "concatenate: no tensors were given")
  if tensors.count == 1 { return tensors[0] }
  return Concatenate(axis: resolved(axis: axis, rank: tensors[0].rank)).apply(tensors)[0]
}

/// `tensors` of one shape along a new axis.
public func stack(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
  concatenate(tensors.map { $0.expandedAxis(at: axis) }, axis: axis)
}
