/// A linear map along one axis in which every result reads a few elements: interpolation, adaptive means,
/// padding by reflection, selection by index.
struct AxisMap: WritingOperation {
  /// What each result along the axis is a weighted sum of.
  struct Table: Hashable, Sendable {
    struct Tap: Hashable, Sendable {
      let index: Int
      let weight: Float
    }
    let rows: [[Tap]]

    /// Result i is element `indices[i]`.
    init(selecting indices: [Int]) { rows = indices.map { [Tap(index: $0, weight: 1)] } }
    /// The same, results without an index being 0.
    init(selecting indices: [Int?]) { rows = indices.map { $0.map { [Tap(index: $0, weight: 1)] } ?? [] } }
    init(rows: [[Tap]]) { self.rows = rows }

    /// The map whose matrix is the transpose: the gradient of this one.
    func transposed(count: Int) -> Table {
      var result = [[Tap]](repeating: [], count: count)
      for (target, row) in rows.enumerated() {
        for tap in row { result[tap.index].append(Tap(index: target, weight: tap.weight)) }
      }
      return Table(rows: result)
    }
  }

  let axis: Int
  let table: Table
  let onnxName: String
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    var shape = inputs[0].shape
    require(
      table.rows.allSatisfy { $0.allSatisfy { $0.index >= 0 && $0.index < shape[axis] } },
      "\(onnxName): an index is outside the \(shape[axis]) elements of axis \(axis)")
    shape[axis] = table.rows.count
    return [TensorSpec(shape)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let source = inputs[0].cast(to: .float32).rowMajor()
    return [Tensor(outputs(for: [source.spec])[0].shape) { write([source], to: $0) }]
  }

  func write(_ inputs: [Tensor], to result: UnsafeMutableBufferPointer<Float>) {
    let shape = inputs[0].shape
    let inner = shape[(axis + 1)...].reduce(1, *)
    let extent = shape[axis]
    let lines = shape[..<axis].reduce(1, *) * table.rows.count
    inputs[0].withUnsafeValues { values in
      guard let from = values.baseAddress, let to = result.baseAddress, result.count > 0 else {
        return result.update(repeating: 0)
      }
      Parallel.forEachRange(lines, grain: max(1, 8192 / inner)) { range in
        for line in range {
          let (block, row) = line.quotientAndRemainder(dividingBy: table.rows.count)
          let target = to + line * inner
          if let index = table.rows[row].onlySelected {
            target.update(from: from + (block * extent + index) * inner, count: inner)
            continue
          }
          for k in 0..<inner { target[k] = 0 }
          for tap in table.rows[row] {
            let source = from + (block * extent + tap.index) * inner
            let weight = tap.weight
            for k in 0..<inner { target[k] += weight * source[k] }
          }
        }
      }
    }
  }

  func gradient(_ context: GradientContext) -> [Tensor?] {
    let transposed = table.transposed(count: context.inputSpecs[0].shape[axis])
    return [AxisMap(axis: axis, table: transposed, onnxName: onnxName)(context.upstream)]
  }
}

extension [AxisMap.Table.Tap] {
  /// The index when the result is a copy of one element.
  fileprivate var onlySelected: Int? { count == 1 && self[0].weight == 1 ? self[0].index : nil }
}

extension Tensor {
  /// The elements `indices` along `axis`, in that order.
  public func taking(_ indices: [Int], axis: Int) -> Tensor {
    AxisMap(
      axis: resolved(axis: axis, rank: rank), table: .init(selecting: indices), onnxName: "Gather")(self)
  }

  /// The elements `indices` along `axis`, zeros where there is none.
  public func taking(_ indices: [Int?], axis: Int) -> Tensor {
    AxisMap(
      axis: resolved(axis: axis, rank: rank), table: .init(selecting: indices), onnxName: "Gather")(self)
  }

  /// The axis in reverse order.
  public func flipped(_ axis: Int) -> Tensor {
    taking(Array((0..<shape[resolved(axis: axis, rank: rank)]).reversed()), axis: axis)
  }

  /// Shifted by `count` positions along `axis`; what falls off one end comes in at the other.
  public func rolled(_ count: Int, axis: Int) -> Tensor {
    let axis = resolved(axis: axis, rank: rank)
    let extent = shape[axis]
    if extent == 0 { return self }
    let shift = ((count % extent) + extent) % extent
    if shift == 0 { return self }
    return concatenate(
      [sliced(axis, (extent - shift)..<extent), sliced(axis, 0..<(extent - shift))], axis: axis)
  }
}
