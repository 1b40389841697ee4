/// Convolutions with filters of one pixel beside depthwise ones by the package's own loop.
extension Graph {
  /// The loops for the convolutions that make what a depthwise convolution's loop reads or read what it makes, by their results.
  ///
  /// Others are oneDNN's: its kernels beside them divide the channels among the threads, not the rows (Inception v3 would take 11 %
  /// longer where two cores share no cache).
  func pointwiseLoops(_ excitations: [Value: Excitation]) -> [Value: PointwiseLoop] {
    var read: Set<Value> = []
    var made: Set<Value> = []
    for node in nodes where depthwiseLoop(node) != nil {
      read.insert(node.inputs[0])
      made.insert(excitations[node.outputs[0]]?.scaled ?? node.outputs[0])
    }
    var loops: [Value: PointwiseLoop] = [:]
    for node in nodes {
      let isAfter = node.inputs.first.map(made.contains) ?? false
      guard isAfter || read.contains(node.outputs[0]) else { continue }
      loops[node.outputs[0]] = pointwiseLoop(node, isAfterDepthwise: isAfter)
    }
    return loops
  }

  /// The loop for a node, where it is a convolution that there is one for.
  func pointwiseLoop(_ node: Node, isAfterDepthwise: Bool) -> PointwiseLoop? {
    guard let convolution = node.operation as? Convolution, node.entry == nil,
      node.inputs.dropFirst().allSatisfy({ constants[$0] != nil })
    else { return nil }
    return PointwiseLoop(
      convolution.geometry, input: specs[node.inputs[0]].shape, weights: specs[node.inputs[1]].shape,
      accumulates: node.addend != nil, after: node.activation,
      isAfterDepthwise: isAfterDepthwise)
  }
}

extension Planner {
  mutating func lower(_ loop: PointwiseLoop, _ node: Graph.Node) {
    let shape = graph.specs[node.inputs[1]].shape
    let weights = packed(node.inputs[1], .blockedMatrix(shape)) { $0 }
    append(loop, weights: weights, scratchCount: loop.scratchCount, node)
  }

  /// Appends a loop on a convolution's input, weights, bias, result and, where it needs some, scratch memory.
  mutating func append(_ loop: any PlannedLoop, weights: Int, scratchCount: Int, _ node: Graph.Node) {
    let shapes = [node.inputs[0], node.outputs[0]].map { graph.specs[$0].shape }
    let source = value(node.inputs[0], in: .blockedChannels(shapes[0], block: ChannelBlocks.size))
    let bias = blockedBias(node, count: shapes[1][1])
    let result = destination(node, .blockedChannels(shapes[1], block: ChannelBlocks.size))
    var operands = [source, weights, bias, result]
    if scratchCount > 0 {
      operands.append(plan.addValue(TensorSpec([scratchCount]), .rowMajor([scratchCount])))
    }
    plan.append(loop, operands, name: name(node))
  }
}
