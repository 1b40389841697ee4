/// The int64 position of the largest or smallest value along the last axis, the first of equals or of several NaN. No gradient.
struct ExtremePosition: Operation {
  enum Kind: Sendable { case largest, smallest }

  let kind: Kind
  var onnxName: String { kind == .largest ? "ArgMax" : "ArgMin" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    let shape = inputs[0].shape
    require((shape.last ?? 0) > 0, "the position of the extreme of no values")
    return [TensorSpec(Array(shape.dropLast()), .int64)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let shape = outputs(for: inputs.map(\.spec))[0].shape
    let extent = inputs[0].shape[inputs[0].rank - 1]
    let result = inputs[0].cast(to: .float32).withUnsafeValues { values in
      Tensor(shape, of: Int64.self) { positions in
        for row in positions.indices {
          positions[row] = Int64(position(in: values[row * extent..<(row + 1) * extent]))
        }
      }
    }
    return [result]
  }

  private func position(in row: Swift.Slice<UnsafeBufferPointer<Float>>) -> Int {
    var best = row.startIndex
    for index in row.indices.dropFirst() where !row[best].isNaN {
      let (value, known) = (row[index], row[best])
      if value.isNaN || (kind == .largest ? value > known : value < known) { best = index }
    }
    return best - row.startIndex
  }

  func gradient(_ context: GradientContext) -> [Tensor?] { [nil] }
}

extension Tensor {
  /// The int64 position of the largest value along `axis`, the first of equals, or of the first NaN.
  public func argMax(_ axis: Int = -1) -> Tensor { extremePosition(.largest, axis) }
  /// The int64 position of the smallest value along `axis`, the first of equals, or of the first NaN.
  public func argMin(_ axis: Int = -1) -> Tensor { extremePosition(.smallest, axis) }

  private func extremePosition(_ kind: ExtremePosition.Kind, _ axis: Int) -> Tensor {
    let axis = resolved(axis: axis, rank: rank)
    if axis == rank - 1 { return ExtremePosition(kind: kind)(self) }
    return ExtremePosition(kind: kind)(permuted(shape.indices.filter { $0 != axis } + [axis]))
  }
}
