/// Weights in the layouts of their kernels.
extension Planner {
  /// A constant as a kernel reads it; `view` shows its values in the kernel's shape without moving them.
  ///
  /// For one run the plan itself packs: the copy lies in the arena until its kernel has run, so that a large network's weights pass
  /// through a small memory that is warm, where a packed network would be new pages to its last byte.
  mutating func packed(
    _ value: Graph.Value, _ layout: MemoryDescriptor, view: (Tensor) -> Tensor
  ) -> Int {
    let constant = graph.constants[value]!
    guard let packing = Packing(constant, layout, view) else {
      let packed = view(constant.tensor.cast(to: .float32)).reordered(to: layout)
      releasePages(value)
      return plan.addConstant(packed)
    }
    guard algorithms == .once else {
      let packed = Tensor(layout, shape: packing.source.shape, dtype: layout.dtype)
      packing.run(into: packed)
      releasePages(value)
      return plan.addConstant(packed)
    }
    let packed = plan.addValue(TensorSpec(packing.source.shape, layout.dtype), layout)
    var operands = [
      (slot: Primitive.Slot.source, value: plan.addConstant(packing.source)),
      (Primitive.Slot.destination, packed),
    ]
    if let factors = packing.factors { operands.append((Primitive.Slot.factors, plan.addConstant(factors))) }
    plan.append(packing.primitive, operands, name: "weights")
    return packed
  }

  /// Once packed, weights in a mapped file are not read again by this plan.
  func releasePages(_ value: Graph.Value) {
    switch graph.constants[value] {
    case .ready(let tensor), .scaled(let tensor, _): tensor.storage.releasePages()
    case nil: break
    }
  }
}

/// One pass over weights that brings them into a kernel's layout, and multiplies each filter by its factor.
private struct Packing {
  let source: Tensor
  let factors: Tensor?
  let primitive: Primitive

  /// Nil where there is nothing to move, or no kernel that does both at once.
  init?(_ constant: Graph.Constant, _ layout: MemoryDescriptor, _ view: (Tensor) -> Tensor) {
    switch constant {
    case .ready(let tensor):
      let filters = view(tensor.cast(to: .float32))
      source = layout.isTransformed ? filters.rowMajor() : filters
      factors = nil
      guard source.descriptor != layout else { return nil }
      primitive = .reorder(from: source.descriptor, to: layout)
    case .scaled(let tensor, let perFilter):
      source = view(tensor.cast(to: .float32))
      factors = perFilter.rowMajor()
      // Filters of grouped convolutions are counted along two axes.
      let axes = source.shape[0] == perFilter.count ? 1 : 2
      guard
        let scaled = Primitive.scaledReorder(from: source.descriptor, to: layout, factorsAlongFirst: axes)
      else { return nil }
      primitive = scaled
    }
  }

  func run(into packed: Tensor) {
    var operands: [Primitive.Argument] = [
      .init(Primitive.Slot.source, source), .init(Primitive.Slot.destination, packed),
    ]
    if let factors { operands.append(.init(Primitive.Slot.factors, factors)) }
    primitive.execute(operands)
  }
}
