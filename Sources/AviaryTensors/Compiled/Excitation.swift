import CVectors

/// Squeeze-and-excitation of a depthwise convolution's result: the sums of its channels are known when the convolution is done.
struct Excitation {
  let squeeze: Graph.Node
  let excite: Graph.Node
  let activation: VectorActivation
  let gate: VectorActivation
  /// The product of the convolution's result and the gate.
  let scaled: Graph.Value
  /// Mean, hidden values and gate, which are never made.
  let inner: [Graph.Value]
}

/// What takes the place of a node's own kernel.
enum Replacement {
  /// Other steps have done it.
  case nothing
  case scaling(Scaling)

  struct Scaling {
    let loop: ExcitationLoop
    let excitation: Excitation
    let source: Graph.Value
    /// The planned value that holds the contributions.
    let contributions: Int
  }
}

extension Graph {
  /// By the convolution's result.
  func excitations() -> [Value: Excitation] {
    let consumers = consumers()
    var found: [Value: Excitation] = [:]
    for node in nodes where depthwiseLoop(node) != nil {
      let value = node.outputs[0]
      if !outputs.contains(value) { found[value] = excitation(of: value, consumers) }
    }
    return found
  }

  /// value · gate(W₂ δ(W₁ mean(value) + b₁) + b₂), each step of which nobody else reads.
  private func excitation(of value: Value, _ consumers: [Value: [Int]]) -> Excitation? {
    func onlyReader(of value: Value) -> Node? {
      guard let places = consumers[value], places.count == 1, !outputs.contains(value) else { return nil }
      return nodes[places[0]]
    }
    guard let places = consumers[value], places.count == 2,
      let mean = places.lazy.map({ nodes[$0] }).first(where: isGlobalMean),
      let squeeze = onlyReader(of: mean.outputs[0]), isLinearMap(squeeze),
      let activation = VectorActivation(squeeze.activation),
      let excite = onlyReader(of: squeeze.outputs[0]), isLinearMap(excite),
      var last = onlyReader(of: excite.outputs[0])
    else { return nil }
    var inner = [mean.outputs[0], squeeze.outputs[0], excite.outputs[0]]
    let gate: VectorActivation
    if excite.activation == EltwiseKernel(function: .linear, alpha: 1 / 6, beta: 0.5),
      (last.operation as? Eltwise)?.kernel == EltwiseKernel(function: .clip, alpha: 0, beta: 1),
      let next = onlyReader(of: last.outputs[0])
    {
      gate = VectorActivation(function: VectorHardLogistic, low: 0, high: 0)
      inner.append(last.outputs[0])
      last = next
    } else if let own = VectorActivation(excite.activation) {
      gate = own
    } else {
      return nil
    }
    guard let product = last.operation as? Arithmetic, product.kind == .multiply, last.activation == nil,
      Set(last.inputs) == [value, inner.last!], last.addend == nil
    else { return nil }
    return Excitation(
      squeeze: squeeze, excite: excite, activation: activation, gate: gate, scaled: last.outputs[0],
      inner: inner)
  }

  /// Whether the node's result is the mean of each channel.
  private func isGlobalMean(_ node: Node) -> Bool {
    guard let pooling = node.operation as? Pooling, case .average = pooling.kind else { return false }
    let shape = specs[node.inputs[0]].shape
    return pooling.kernel == Array(shape.dropFirst(2)) && pooling.geometry.padding == .none(2)
  }

  /// Whether the node multiplies a vector of channels by known weights.
  private func isLinearMap(_ node: Node) -> Bool {
    guard let convolution = node.operation as? Convolution, node.addend == nil,
      convolution.geometry.groups == 1,
      convolution.geometry.padding == .none(2), node.entry == nil
    else { return false }
    return node.inputs.dropFirst().allSatisfy { constants[$0] != nil }
      && specs[node.inputs[1]].shape.dropFirst(2) == [1, 1]
  }
}

extension Planner {
  /// Lets the loop that makes `value` squeeze it in passing; returns the operands which that takes.
  mutating func begin(_ excitation: Excitation, with loop: inout DepthwiseLoop, on value: Graph.Value)
    -> [Int]
  {
    let shape = graph.specs[value].shape
    let second = ExcitationLoop(
      pieces: loop.pieces, squeezed: graph.specs[excitation.squeeze.inputs[1]].shape[0],
      activation: excitation.activation, gate: excitation.gate)
    loop.hidden = second.hidden
    let size = [loop.pieces.pieceCount, second.hidden]
    let contributions = plan.addValue(TensorSpec(size), .rowMajor(size))
    for value in excitation.inner { replaced[value] = .nothing }
    replaced[excitation.scaled] = .scaling(
      .init(loop: second, excitation: excitation, source: value, contributions: contributions))
    // The mean is the sum divided by the number of pixels.
    let weights = filledUpWeights(excitation.squeeze).transposed().affine(
      scale: 1 / Float(shape[2] * shape[3]), shift: 0)
    return [plan.addConstant(weights.rowMajor()), contributions]
  }

  mutating func lower(_ scaling: Replacement.Scaling, _ node: Graph.Node) {
    let (loop, excitation) = (scaling.loop, scaling.excitation)
    let source = planned[scaling.source]!
    let weights = filledUpWeights(excitation.excite)
      .reshaped([loop.pieces.blocks, ChannelBlocks.size, loop.hidden]).permuted([0, 2, 1])
    let operands = [
      source, scaling.contributions, blockedBias(excitation.squeeze, count: loop.squeezed),
      plan.addConstant(weights.rowMajor()),
      blockedBias(excitation.excite, count: graph.specs[scaling.source].shape[1]),
    ]
    let layout = plan.values[source].descriptor
    let result = makeOutput(node, over: scaling.source, at: source, layout)
    plan.append(loop, operands + [result], name: "SqueezeExcitation")
  }

  /// The matrix of a linear map, outputs×inputs, with zeros that fill up both to whole vectors.
  private func filledUpWeights(_ node: Graph.Node) -> Tensor {
    let tensor = graph.constants[node.inputs[1]]!.tensor.cast(to: .float32)
    let shape = Array(tensor.shape.prefix(2))
    return tensor.reshaped(shape).padded(
      before: [0, 0], after: shape.map { ChannelBlocks.filledUp($0) - $0 })
  }
}
