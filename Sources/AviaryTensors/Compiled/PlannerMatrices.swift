/// What attention is made of: products of matrices, softmax, normalization of rows, sums with broadcasting.
extension Planner {
  /// Reads strided matrices as they lie.
  mutating func lower(_ product: MatrixProduct, _ node: Graph.Node) {
    let shape = graph.specs[node.outputs[0]].shape
    let (a, b) = (matrix(node.inputs[0], rank: shape.count), matrix(node.inputs[1], rank: shape.count))
    let layout = wantedLayout(node.outputs[0])
    let primitive = MatmulKernel.primitive(
      plan.values[a].descriptor, plan.values[b].descriptor, hasBias: false, shape: shape,
      finishing: finishing(node), result: layout)
    let result = makeOutput(node, layout)
    plan.append(
      primitive,
      [(Primitive.Slot.source, a), (Primitive.Slot.weights, b), (Primitive.Slot.destination, result)],
      name: name(node))
  }

  /// Row-major, or what is row-major after the one permutation that reads the value.
  private func wantedLayout(_ value: Graph.Value) -> MemoryDescriptor {
    let shape = graph.specs[value].shape
    guard pending[value] == 1, !graph.outputs.contains(value),
      let permute = graph.nodes.first(where: { $0.reads.contains(value) })?.operation as? Permute
    else { return .rowMajor(shape) }
    return permute.layoutGivingRowMajor(shape)
  }

  /// An operand of a product, with leading axes of one element up to `rank`: as it lies when that is a matrix or its transpose.
  private mutating func matrix(_ graphValue: Graph.Value, rank: Int) -> Int {
    let shape = graph.specs[graphValue].shape
    var source = float32Value(graphValue)
    let known = plan.values[source].descriptor.plainStrides
    if !(known.map { MatmulKernel.reads(strides: $0, shape: shape) } ?? false) {
      source = value(graphValue, in: .rowMajor(shape))
    }
    guard shape.count < rank else { return source }
    let missing = rank - shape.count
    let strides = plan.values[source].descriptor.plainStrides!
    let outermost = strides[0] * shape[0]
    let full = Shape(repeating: 1, count: missing) + shape
    return plan.addAlias(
      of: source, TensorSpec(full),
      MemoryDescriptor(
        shape: full, dtype: .float32, strides: Array(repeating: outermost, count: missing) + strides))
  }

  mutating func lower(_ softmax: Softmax, _ node: Graph.Node) {
    let shape = graph.specs[node.inputs[0]].shape
    let columns = shape[shape.count - 1]
    let rows: Shape = [shape.elementCount / max(columns, 1), columns]
    let source = value(node.inputs[0], in: .rowMajor(shape))
    let result = makeOutput(node, over: node.inputs[0], at: source, .rowMajor(shape))
    plan.append(
      SoftmaxKernel(isLogarithmic: softmax.isLogarithmic).forwardPrimitive(.rowMajor(rows)),
      [
        (Primitive.Slot.source, plan.addAlias(of: source, TensorSpec(rows), .rowMajor(rows))),
        (Primitive.Slot.destination, plan.addAlias(of: result, TensorSpec(rows), .rowMajor(rows))),
      ], name: name(node))
  }

  mutating func lower(_ norm: LayerNormalization, _ node: Graph.Node) {
    let shape = graph.specs[node.inputs[0]].shape
    let parameters = node.inputs.dropFirst().map { value($0, in: .rowMajor(graph.specs[$0].shape)) }
    let source = value(node.inputs[0], in: .rowMajor(shape))
    let result = makeOutput(node, over: node.inputs[0], at: source, .rowMajor(shape))
    plan.append(
      LayerNormKernel(epsilon: norm.epsilon).inferencePrimitive(shape),
      [
        (Primitive.Slot.source, source), (Primitive.Slot.destination, result),
        (Primitive.Slot.scale, parameters[0]), (Primitive.Slot.shift, parameters[1]),
      ], name: name(node))
  }

  /// By oneDNN where the first operand has the result's shape and the second is repeated in a way it is fast at.
  mutating func lower(_ arithmetic: Arithmetic, _ node: Graph.Node) {
    let shape = graph.specs[node.outputs[0]].shape
    guard let function = arithmetic.binaryFunction, !shape.contains(0), !shape.isEmpty else {
      return lowerOperation(node)
    }
    var (first, second) = (node.inputs[0], node.inputs[1])
    if function.isCommutative, graph.specs[first].shape != shape || graph.constants[first] != nil {
      swap(&first, &second)
    }
    guard graph.specs[first].shape == shape, graph.constants[first] == nil else {
      return lowerOperation(node)
    }
    let kernel = BinaryKernel(function: function, finishing: finishing(node))
    let left = denseFloats(first)
    let layout = plan.values[left].descriptor
    let right = operand(second, besides: layout, shape)
    // oneDNN's products of two pictures of the same shape repeat a row of the second where there is one picture. Bytes that lie alike are one
    // row to it.
    let isAlike = plan.values[right].descriptor == layout && layout.plainStrides != nil
    let row = MemoryDescriptor.rowMajor([shape.elementCount])
    guard
      let primitive = isAlike
        ? kernel.primitive(row, row) : kernel.primitive(layout, plan.values[right].descriptor)
    else { return lowerOperation(node) }
    let result =
      first != second && mayOverwrite(first, at: left)
      ? aliasOutput(node, of: left, layout) : makeOutput(node, layout)
    let operands = [left, right, result].map {
      isAlike ? plan.addAlias(of: $0, TensorSpec([shape.elementCount]), row) : $0
    }
    plan.append(
      primitive,
      [
        (Primitive.Slot.source, operands[0]), (Primitive.Slot.secondSource, operands[1]),
        (Primitive.Slot.destination, operands[2]),
      ], name: name(node))
  }

  private mutating func denseFloats(_ graphValue: Graph.Value) -> Int {
    let source = float32Value(graphValue)
    let isDense = plan.values[source].descriptor.isDense
    return isDense ? source : value(graphValue, in: .rowMajor(graph.specs[graphValue].shape))
  }

  /// The second operand of a sum: in the layout of the first when it has its shape, else with as many axes.
  private mutating func operand(
    _ graphValue: Graph.Value, besides layout: MemoryDescriptor, _ shape: Shape
  ) -> Int {
    let own = graph.specs[graphValue].shape
    if own == shape { return value(graphValue, in: layout) }
    if own.count == shape.count { return denseFloats(graphValue) }
    let full = Shape(repeating: 1, count: shape.count - own.count) + own
    let source = value(graphValue, in: .rowMajor(own))
    if case .constant(let tensor) = plan.values[source].location {
      return plan.addConstant(tensor.reshaped(full))
    }
    return plan.addAlias(of: source, TensorSpec(full), .rowMajor(full))
  }
}
