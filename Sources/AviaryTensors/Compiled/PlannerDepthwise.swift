/// Depthwise convolutions by the package's own loop.
extension Graph {
  /// The loop for a node, where it is a depthwise convolution that there is one for.
  func depthwiseLoop(_ node: Node) -> DepthwiseLoop? {
    guard let convolution = node.operation as? Convolution, node.addend == nil,
      node.inputs.dropFirst().allSatisfy({ constants[$0] != nil })
    else { return nil }
    return DepthwiseLoop(
      convolution.geometry, input: specs[node.inputs[0]].shape, weights: specs[node.inputs[1]].shape,
      before: node.entryActivation, after: node.activation)
  }

  /// Activations that take oneDNN's kernels long are left to the loop of the depthwise convolution that is their only reader. A pointwise
  /// loop before it is as fast, and activates each value once.
  mutating func moveActivations() {
    let readers = readers()
    let producers = producers()
    for (place, node) in nodes.enumerated() where depthwiseLoop(node) != nil {
      guard let source = producers[node.inputs[0]], readers[node.inputs[0]] == 1,
        let activation = nodes[source].activation, [.swish, .hardSwish].contains(activation.function),
        pointwiseLoop(nodes[source], isAfterDepthwise: false) == nil
      else { continue }
      var reader = node
      reader.entryActivation = activation
      guard depthwiseLoop(reader) != nil else { continue }
      nodes[place] = reader
      nodes[source].activation = nil
    }
  }
}

extension Planner {
  mutating func lower(_ loop: DepthwiseLoop, _ node: Graph.Node) {
    var loop = loop
    let (input, output) = (graph.specs[node.inputs[0]].shape, graph.specs[node.outputs[0]].shape)
    let grouped = [input[1], 1] + graph.specs[node.inputs[1]].shape.dropFirst()
    let source = value(node.inputs[0], in: .blockedChannels(input, block: ChannelBlocks.size))
    let filters = packed(node.inputs[1], .blockedFilters(grouped)) { $0.reshaped(grouped) }
    let result = makeOutput(node, .blockedChannels(output, block: ChannelBlocks.size))
    var operands = [source, filters, blockedBias(node, count: output[1]), result]
    if let excitation = excitations[node.outputs[0]] {
      operands += begin(excitation, with: &loop, on: node.outputs[0])
    }
    plan.append(loop, operands, name: (node.entryActivation == nil ? "" : "activation + ") + name(node))
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
