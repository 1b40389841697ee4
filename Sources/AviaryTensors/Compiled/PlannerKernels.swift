/// Networks of convolutions and linear maps.
extension Planner {
  mutating func lower(_ convolution: Convolution, _ node: Graph.Node) {
    let bias = node.inputs.count > 2 ? graph.constants[node.inputs[2]]?.tensor : nil
    var kernel = ConvolutionKernel(
      convolution.geometry, input: graph.specs[node.inputs[0]].shape,
      weights: graph.specs[node.inputs[1]].shape, hasBias: bias != nil)
    kernel.finishing = finishing(node)
    kernel.dtype = precision
    kernel.hasFixedWeights = true
    kernel.algorithm = algorithms.algorithm(for: kernel)
    if kernel.algorithm == .split, let split = SplitConvolution(kernel) { return lower(split, node, bias) }
    if kernel.algorithm == .ownWinograd,
      let loop = WinogradLoop(kernel, accumulates: node.addend != nil, after: node.activation)
    {
      return lower(loop, node)
    }
    let primitive = kernel.forwardPrimitive
    let source = value(node.inputs[0], in: primitive.descriptor(.source(0)))
    let weights = packed(node.inputs[1], primitive.descriptor(.weights(0))) {
      $0.reshaped(kernel.groupedWeights)
    }
    append(primitive, source: source, weights: weights, bias, node)
  }

  private mutating func lower(_ split: SplitConvolution, _ node: Graph.Node, _ bias: Tensor?) {
    let primitive = split.inner.forwardPrimitive
    let source = value(
      node.inputs[0], in: .blockedChannels(split.copies.input, block: MovedCopies.block))
    let copies = plan.addValue(TensorSpec(split.copies.output), primitive.descriptor(.source(0)))
    plan.append(split.copies, [source, copies], name: "moved copies")
    let weights = split.weights(graph.constants[node.inputs[1]]!.tensor)
    releasePages(node.inputs[1])
    append(
      primitive, source: copies,
      weights: plan.addConstant(weights.reordered(to: primitive.descriptor(.weights(0)))), bias, node)
  }

  private mutating func lower(_ loop: WinogradLoop, _ node: Graph.Node) {
    let weights = plan.addConstant(WinogradLoop.weights(graph.constants[node.inputs[1]]!.tensor))
    releasePages(node.inputs[1])
    append(loop, weights: weights, scratchCount: loop.scratchCount, node)
  }

  private mutating func append(
    _ primitive: Primitive, source: Int, weights: Int, _ bias: Tensor?, _ node: Graph.Node
  ) {
    let result = destination(node, primitive.descriptor(.destination(0)))
    var operands = [
      (slot: Primitive.Slot.source, value: source), (Primitive.Slot.weights, weights),
      (Primitive.Slot.destination, result),
    ]
    if let bias {
      operands.append((Primitive.Slot.bias, plan.addConstant(bias.cast(to: .float32).rowMajor())))
    }
    plan.append(primitive, operands, name: name(node))
  }

  mutating func lowerLinear(_ node: Graph.Node) {
    let weights = graph.specs[node.inputs[1]].shape
    let bias = node.inputs.count > 2 ? graph.constants[node.inputs[2]]?.tensor : nil
    let (inputs, outputs) = (weights[1], weights[0])
    let rows = graph.specs[node.inputs[0]].shape.elementCount / inputs
    if rows == 1, precision == .float32 { return lowerVector(node, bias) }
    let primitive = MatmulKernel.primitive(
      MemoryDescriptor(shape: [rows, inputs], dtype: precision), .any([inputs, outputs], precision),
      hasBias: bias != nil, shape: [rows, outputs],
      finishing: finishing(node))
    let shape = graph.specs[node.inputs[0]].shape
    let flat = value(node.inputs[0], in: MemoryDescriptor(shape: shape, dtype: precision))
    let source = plan.addAlias(of: flat, TensorSpec([rows, inputs]), primitive.descriptor(.source(0)))
    let spec = graph.specs[node.outputs[0]]
    let result = plan.addAlias(
      of: destination(node, .rowMajor(spec.shape)), TensorSpec([rows, outputs]), .rowMajor([rows, outputs]))
    let kernelWeights = packed(node.inputs[1], primitive.descriptor(.weights(0))) { $0.transposed() }
    var operands = [
      (slot: Primitive.Slot.source, value: source), (Primitive.Slot.weights, kernelWeights),
      (Primitive.Slot.destination, result),
    ]
    if let bias {
      operands.append(
        (Primitive.Slot.bias, plan.addConstant(bias.cast(to: .float32).reshaped([1, outputs]).rowMajor())))
    }
    plan.append(primitive, operands, name: name(node))
  }

  /// A linear map of one row. For one run the weights are read where they are; for many they move from the file, whose pages are small,
  /// to memory that is read faster.
  private mutating func lowerVector(_ node: Graph.Node, _ bias: Tensor?) {
    let weights = graph.constants[node.inputs[1]]!.tensor.cast(to: .float32)
    let (inputs, outputs) = (weights.shape[1], weights.shape[0])
    let spec = graph.specs[node.outputs[0]]
    let kernel = InnerProductKernel(
      inputs: inputs, outputs: outputs, hasBias: bias != nil, finishing: finishing(node))
    let source = plan.addAlias(
      of: value(node.inputs[0], in: .rowMajor(graph.specs[node.inputs[0]].shape)), TensorSpec([1, inputs]),
      .rowMajor([1, inputs]))
    let result = plan.addAlias(
      of: destination(node, .rowMajor(spec.shape)), TensorSpec([1, outputs]), .rowMajor([1, outputs]))
    var kept = weights.rowMajor()
    if algorithms != .once {
      kept = kept.copied()
      releasePages(node.inputs[1])
    }
    var operands = [
      (slot: Primitive.Slot.source, value: source), (Primitive.Slot.weights, plan.addConstant(kept)),
      (Primitive.Slot.destination, result),
    ]
    if let bias {
      operands.append((Primitive.Slot.bias, plan.addConstant(bias.cast(to: .float32).rowMajor())))
    }
    plan.append(kernel.primitive, operands, name: name(node))
  }

  mutating func lower(_ pooling: Pooling, _ node: Graph.Node) {
    let source = denseValue(node.inputs[0])
    let primitive = pooling.primitive(graph.specs[node.inputs[0]])
      .forwardPrimitive(plan.values[source].descriptor)
    let result = makeOutput(node, primitive.descriptor(.destination(0)))
    plan.append(
      primitive, [(Primitive.Slot.source, source), (Primitive.Slot.destination, result)], name: name(node))
  }

  mutating func lower(_ eltwise: Eltwise, _ node: Graph.Node) {
    let dense = denseValue(node.inputs[0])
    let primitive = eltwise.kernel.forwardPrimitive(for: plan.values[dense].descriptor)
    let source = value(node.inputs[0], in: primitive.descriptor(.source(0)))
    let result = makeOutput(node, over: node.inputs[0], at: source, primitive.descriptor(.destination(0)))
    plan.append(
      primitive, [(Primitive.Slot.source, source), (Primitive.Slot.destination, result)], name: name(node))
  }

  mutating func lower(_ norm: BatchNormalization, _ node: Graph.Node) {
    let shape = graph.specs[node.inputs[0]].shape
    let source =
      norm.needsRowMajor(shape) ? value(node.inputs[0], in: .rowMajor(shape)) : denseValue(node.inputs[0])
    let layout = plan.values[source].descriptor
    let kernel = BatchNormKernel(
      epsilon: norm.epsilon, usesGivenStatistics: true, rectifies: node.activation != nil)
    let primitive = kernel.forwardPrimitive(layout)
    let parameters = node.inputs.dropFirst().map { value($0, in: .rowMajor(graph.specs[$0].shape)) }
    let result = makeOutput(node, over: node.inputs[0], at: source, layout)
    let slots = [Primitive.Slot.scale, Primitive.Slot.shift, Primitive.Slot.mean, Primitive.Slot.variance]
    plan.append(
      primitive,
      [(Primitive.Slot.source, source), (Primitive.Slot.destination, result)]
        + zip(slots, parameters).map { ($0, $1) },
      name: name(node))
  }

  mutating func lowerByCopying(_ node: Graph.Node) {
    guard let concatenation = node.operation as? Concatenate else { return lowerOperation(node) }
    let stored = node.inputs.map { value($0) }
    let types = Set(stored.map { plan.values[$0].descriptor.dtype })
    let sources = types.count == 1 ? stored : node.inputs.map { float32Value($0) }
    let shape = graph.specs[node.outputs[0]].shape
    let primitive = Primitive.concatenation(
      sources.map { plan.values[$0].descriptor }, axis: concatenation.axis, shape: shape)
    let result = makeOutput(node, primitive.descriptor(.destination(0)))
    plan.append(
      primitive,
      sources.enumerated().map { (Primitive.Slot.source($0.offset), $0.element) } + [
        (Primitive.Slot.destination, result)
      ],
      name: name(node))
  }
}
