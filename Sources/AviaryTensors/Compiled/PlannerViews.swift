/// Operations that move no element: their results are other looks at the same bytes wherever strides can say so.
extension Planner {
  mutating func lower(_ reshape: Reshape, _ node: Graph.Node) {
    let source = value(node.inputs[0])
    let shape = graph.specs[node.inputs[0]].shape
    if let strides = plan.values[source].descriptor.plainStrides,
      let viewed = Layout.strides(strides, of: shape, viewedAs: reshape.shape)
    {
      return alias(node, of: source, strides: viewed)
    }
    alias(node, of: value(node.inputs[0], in: .rowMajor(shape)), strides: reshape.shape.rowMajorStrides)
  }

  /// A blocked value is brought into the order of the result right away, so that the next kernel finds it dense.
  mutating func lower(_ permute: Permute, _ node: Graph.Node) {
    var source = value(node.inputs[0])
    if plan.values[source].descriptor.plainStrides == nil {
      source = value(
        node.inputs[0], in: permute.layoutGivingRowMajor(graph.specs[node.inputs[0]].shape))
    }
    let strides = plan.values[source].descriptor.plainStrides!
    alias(node, of: source, strides: permute.order.map { strides[$0] })
  }

  mutating func lower(_ slice: Slice, _ node: Graph.Node) {
    var source = value(node.inputs[0])
    if plan.values[source].descriptor.plainStrides == nil {
      source = value(node.inputs[0], in: .rowMajor(graph.specs[node.inputs[0]].shape))
    }
    var strides = plan.values[source].descriptor.plainStrides!
    let start = slice.start * strides[slice.axis]
    strides[slice.axis] *= slice.step
    alias(node, of: source, strides: strides, skipping: start)
  }

  private mutating func alias(
    _ node: Graph.Node, of source: Int, strides: [Int], skipping elements: Int = 0
  ) {
    let spec = graph.specs[node.outputs[0]]
    let dtype = plan.values[source].descriptor.dtype
    // Where an axis has one element, any stride would do. Kernels take that of dense rows for what it is; of another they add up wrong elements
    // (oneDNN's sums of a part of one picture and a constant).
    var strides = strides
    for axis in spec.shape.indices.reversed() where spec.shape[axis] == 1 {
      strides[axis] = axis + 1 < strides.count ? strides[axis + 1] * spec.shape[axis + 1] : 1
    }
    guard Layout.areNested(strides, spec.shape) else { return lowerOperation(node) }
    planned[node.outputs[0]] = plan.addAlias(
      of: source, spec, MemoryDescriptor(shape: spec.shape, dtype: dtype, strides: strides),
      offset: elements * dtype.byteCount)
  }
}

extension Permute {
  /// How a value of the given shape must lie for the result to be row-major.
  func layoutGivingRowMajor(_ shape: Shape) -> MemoryDescriptor {
    let dense = order.map { shape[$0] }.rowMajorStrides
    var strides = shape
    for (place, axis) in order.enumerated() { strides[axis] = dense[place] }
    return MemoryDescriptor(shape: shape, dtype: .float32, strides: strides)
  }
}

extension Layout {
  /// The strides with which elements of one shape can be looked at as another without moving; nil when they cannot.
  ///
  /// Axes that lie one inside the next without a gap count as one; the new axes must divide such groups.
  static func strides(_ strides: [Int], of shape: Shape, viewedAs target: Shape) -> [Int]? {
    if shape.contains(0) { return nil }
    var groups: [(extent: Int, stride: Int)] = []
    for (extent, stride) in zip(shape, strides) where extent != 1 {
      if let last = groups.last, last.stride == extent * stride {
        groups[groups.count - 1] = (last.extent * extent, stride)
      } else {
        groups.append((extent, stride))
      }
    }
    var result = target
    var rest = 1
    for axis in target.indices.reversed() {
      if target[axis] == 1 {
        // Any stride would do; this one is that of dense rows, which kernels recognise.
        result[axis] = axis + 1 < target.count ? result[axis + 1] * target[axis + 1] : 1
        continue
      }
      guard let group = groups.last, group.extent % (rest * target[axis]) == 0 else { return nil }
      result[axis] = group.stride * rest
      rest *= target[axis]
      if rest == group.extent {
        groups.removeLast()
        rest = 1
      }
    }
    return result
  }
}
