import CVectors

/// Depthwise convolutions by the package's own loop.
extension Graph {
  /// The loop for a node, where it is a depthwise convolution that there is one for.
  func depthwiseLoop(_ node: Node) -> DepthwiseLoop? {
    guard let convolution = node.operation as? Convolution, node.addend == nil,
      node.inputs.dropFirst().allSatisfy({ constants[$0] != nil })
    else { return nil }
    var before: EltwiseKernel?
    var expansion: PointwiseConvolution?
    switch node.entry {
    case .activation(let activation): before = activation
    case .expansion(let node): expansion = pointwiseLoop(node, isAfterDepthwise: false)!.convolution
    case nil: break
    }
    return DepthwiseLoop(
      convolution.geometry, input: specs[node.inputs[0]].shape, weights: specs[node.inputs[1]].shape,
      before: before, expansion: expansion, after: node.activation)
  }

  /// What makes a depthwise convolution's operand for nobody else becomes part of its loop where that gains: a pointwise convolution, or
  /// an activation that takes oneDNN's kernels long.
  mutating func moveEntries() {
    let readers = readers()
    let producers = producers()
    var moved = Set<Int>()
    for (place, node) in nodes.enumerated() where depthwiseLoop(node) != nil {
      guard let source = producers[node.inputs[0]], readers[node.inputs[0]] == 1,
        let entry = entry(from: nodes[source])
      else { continue }
      var reader = node
      reader.entry = entry
      guard depthwiseLoop(reader) != nil else { continue }
      nodes[place] = reader
      switch entry {
      case .expansion: moved.insert(source)
      case .activation: nodes[source].activation = nil
      }
    }
    removeNodes(moved)
  }

  private func entry(from source: Node) -> Entry? {
    if pointwiseLoop(source, isAfterDepthwise: false) != nil {
      // A sum is made over its other summand, which is a whole value.
      return source.addend == nil ? .expansion(source) : nil
    }
    guard let activation = source.activation, [.swish, .hardSwish].contains(activation.function) else {
      return nil
    }
    return .activation(activation)
  }
}

extension Planner {
  mutating func lower(_ loop: DepthwiseLoop, _ node: Graph.Node) {
    var loop = loop
    let (input, output) = (graph.specs[node.inputs[0]].shape, graph.specs[node.outputs[0]].shape)
    let grouped = [input[1], 1] + graph.specs[node.inputs[1]].shape.dropFirst()
    let expansion: Graph.Node? = if case .expansion(let node) = node.entry { node } else { nil }
    let read = (expansion ?? node).inputs[0]
    let source = value(read, in: .blockedChannels(graph.specs[read].shape, block: ChannelBlocks.size))
    let filters = packed(node.inputs[1], .blockedFilters(grouped)) { $0.reshaped(grouped) }
    let result = makeOutput(node, .blockedChannels(output, block: ChannelBlocks.size))
    var operands = [source, filters, blockedBias(node, count: output[1]), result]
    if let expansion {
      let weights = graph.specs[expansion.inputs[1]].shape
      operands += [
        packed(expansion.inputs[1], .blockedMatrix(weights)) { $0 }, blockedBias(expansion, count: input[1]),
      ]
    }
    if let excitation = excitations[node.outputs[0]] {
      operands += begin(excitation, with: &loop, on: node.outputs[0])
    }
    plan.append(loop, operands, name: nameOfEntry(node) + name(node))
  }

  private func nameOfEntry(_ node: Graph.Node) -> String {
    switch node.entry {
    case .activation: "activation + "
    case .expansion(let node): name(node) + " + "
    case nil: ""
    }
  }

  /// A node's bias, or zeros, filled up with zeros to whole blocks.
  mutating func blockedBias(_ node: Graph.Node, count: Int) -> Int {
    let bias = node.inputs.count > 2 ? graph.constants[node.inputs[2]]!.tensor.cast(to: .float32) : nil
    let filledUp = ChannelBlocks.filledUp(count)
    return plan.addConstant(
      bias?.padded(before: [0], after: [filledUp - count]).rowMajor()
        ?? Tensor(repeating: Float(0), shape: [filledUp]))
  }
}
