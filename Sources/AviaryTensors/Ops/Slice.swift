/// Every `step`-th element of a range along one axis; with a step of 1 no element moves.
struct Slice: Operation {
  let axis: Int
  let start: Int
  let count: Int
  var step = 1
  var onnxName: String { "Slice" }
  var keeps: Kept { [] }

  func outputs(for inputs: [TensorSpec]) -> [TensorSpec] {
    var shape = inputs[0].shape
    require(
      start >= 0 && count >= 0 && step > 0 && (count == 0 || start + (count - 1) * step < shape[axis]),
      "slice: \(count) elements from \(start) by \(step) along axis \(axis) of \(shape.shapeText)")
    shape[axis] = count
    return [TensorSpec(shape, inputs[0].dtype)]
  }

  func forward(_ inputs: [Tensor], _ context: inout ForwardContext) -> [Tensor] {
    let source = inputs[0].plain()
    var strides = source.strides
    let offset = start * strides[axis]
    strides[axis] *= step
    var shape = source.shape
    shape[axis] = count
    return [source.view(shape, strides, skipping: offset)]
  }

  /// Zeros, with the upstream gradient where the slice was.
  func gradient(_ context: GradientContext) -> [Tensor?] {
    let shape = context.inputSpecs[0].shape
    let upstream = context.upstream.rowMajor()
    let inner = shape[(axis + 1)...].reduce(1, *)
    let outer = shape[..<axis].reduce(1, *)
    // Without a step, what was cut out is one run for each place of the axes before.
    let (runs, run) = step == 1 ? (1, count * inner) : (count, inner)
    let result = Tensor(shape) { (result: UnsafeMutableBufferPointer<Float>) in
      upstream.withUnsafeValues { values in
        guard let from = values.baseAddress, let to = result.baseAddress else {
          return result.update(repeating: 0)
        }
        let row = shape[axis] * inner
        Parallel.forEachRange(outer, grain: max(1, 16_384 / max(row, 1))) { rows in
          for index in rows {
            let target = to + index * row
            target.update(repeating: 0, count: row)
            for piece in 0..<runs {
              (target + (start + piece * step) * inner)
                .update(from: from + (index * runs + piece) * run, count: run)
            }
          }
        }
      }
    }
    return [result]
  }
}

extension Tensor {
  /// The elements `range` along `axis`, every `step`-th one.
  public func sliced(_ axis: Int, _ range: Range<Int>, step: Int = 1) -> Tensor {
    let axis = resolved(axis: axis, rank: rank)
    require(step > 0, "slice: steps of \(step) along axis \(axis) of \(shape.shapeText)")
    if range == 0..<shape[axis] && step == 1 { return self }
    return Slice(axis: axis, start: range.lowerBound, count: (range.count + step - 1) / step, step: step)(
      self)
  }

  /// The element `index` along `axis`, without that axis.
  public func selected(_ axis: Int, _ index: Int) -> Tensor {
    let axis = resolved(axis: axis, rank: rank)
    require(
      0..<shape[axis] ~= index, "position \(index) along axis \(axis) of \(shape.shapeText)")
    return sliced(axis, index..<(index + 1)).squeezed(axis)
  }

  /// Element `index` of the outermost axis.
  public subscript(_ index: Int) -> Tensor { selected(0, index) }

  /// Pieces of the given sizes along `axis`, which they must fill.
  public func split(_ axis: Int, sizes: [Int]) -> [Tensor] {
    let axis = resolved(axis: axis, rank: rank)
    require(
      sizes.reduce(0, +) == shape[axis] && sizes.allSatisfy { $0 >= 0 },
      "split: \(sizes) does not fill \(shape[axis]) elements")
    var start = 0
    return sizes.map { size in
      defer { start += size }
      return sliced(axis, start..<(start + size))
    }
  }

  /// `count` equal pieces along `axis`.
  public func split(_ axis: Int, into count: Int) -> [Tensor] {
    let extent = shape[resolved(axis: axis, rank: rank)]
    require(
      count > 0 && extent % count == 0, "split: \(extent) elements do not divide into \(count) equal pieces")
    return split(axis, sizes: .init(repeating: extent / count, count: count))
  }
}
