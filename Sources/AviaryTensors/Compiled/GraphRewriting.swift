extension Graph {
  /// Everything that needs to be done once only, or in the pass of another kernel, is moved there.
  mutating func simplify() {
    foldConstants()
    foldBatchNormalization()
    fuseActivations()
    fuseAdditions()
    fuseActivations()
  }

  /// Computes what depends on weights alone.
  private mutating func foldConstants() {
    nodes.removeAll { node in
      let inputs = node.inputs.compactMap { constants[$0] }
      guard inputs.count == node.inputs.count else { return false }
      var context = ForwardContext(isRecording: false)
      for (value, tensor) in zip(node.outputs, node.operation.forward(inputs, &context)) {
        constants[value] = tensor
      }
      return true
    }
  }

  /// Batch normalization of a convolution's result scales and shifts each channel: γ/√(σ² + ε) goes into the weights, the rest
  /// into the bias.
  private mutating func foldBatchNormalization() {
    let readers = readers()
    let producers = producers()
    var removed = Set<Int>()
    for (place, node) in nodes.enumerated() {
      guard let norm = node.operation as? BatchNormalization, norm.usesGivenStatistics,
        let source = producers[node.inputs[0]], readers[node.inputs[0]] == 1,
        nodes[source].operation is Convolution, let weights = constants[nodes[source].inputs[1]],
        let scale = constants[node.inputs[1]], let shift = constants[node.inputs[2]],
        let mean = constants[node.inputs[3]], let variance = constants[node.inputs[4]]
      else { continue }
      let bias = nodes[source].inputs.count > 2 ? constants[nodes[source].inputs[2]] : nil
      if nodes[source].inputs.count > 2, bias == nil { continue }
      let factor = scale / (variance + norm.epsilon).squareRoot()
      let perFilter = factor.reshaped([factor.count] + Shape(repeating: 1, count: weights.rank - 1))
      let offset = bias.map { $0 - mean } ?? -mean
      nodes[source].inputs = [
        nodes[source].inputs[0], add(constant: weights * perFilter), add(constant: offset * factor + shift),
      ]
      nodes[source].outputs = node.outputs
      removed.insert(place)
    }
    removeNodes(removed)
  }

  /// An activation that only one kernel's result goes through becomes part of that kernel.
  private mutating func fuseActivations() {
    let readers = readers()
    let producers = producers()
    var removed = Set<Int>()
    for (place, node) in nodes.enumerated() {
      guard let eltwise = node.operation as? Eltwise, let source = producers[node.inputs[0]],
        !removed.contains(source),
        readers[node.inputs[0]] == 1, nodes[source].activation == nil, nodes[source].canFinish,
        specs[node.inputs[0]].dtype == .float32
      else { continue }
      nodes[source].activation = eltwise.kernel
      nodes[source].outputs = node.outputs
      removed.insert(place)
    }
    removeNodes(removed)
  }

  /// The sum of a convolution's result and an equal shape is made by the convolution itself, on top of the other summand. Of two
  /// convolutions the later one does it.
  private mutating func fuseAdditions() {
    let readers = readers()
    let producers = producers()
    var removed = Set<Int>()
    for (place, node) in nodes.enumerated() {
      guard let sum = node.operation as? Arithmetic, sum.kind == .add,
        specs[node.inputs[0]] == specs[node.inputs[1]], node.inputs[0] != node.inputs[1]
      else { continue }
      let candidates = node.inputs.compactMap { value -> (source: Int, value: Value)? in
        guard let source = producers[value], readers[value] == 1, nodes[source].operation is Convolution,
          nodes[source].activation == nil, nodes[source].addend == nil
        else { return nil }
        return (source, value)
      }
      guard let (source, value) = candidates.max(by: { $0.source < $1.source }) else { continue }
      let other = node.inputs[0] == value ? node.inputs[1] : node.inputs[0]
      guard constants[other] == nil, producers[other].map({ $0 < source }) ?? true else { continue }
      nodes[source].addend = other
      nodes[source].outputs = node.outputs
      nodes[source].activation = node.activation
      removed.insert(place)
    }
    removeNodes(removed)
  }

  private mutating func removeNodes(_ places: Set<Int>) {
    nodes = nodes.enumerated().filter { !places.contains($0.offset) }.map(\.element)
  }
}

extension Graph.Node {
  /// Whether the kernel can apply an activation to its result.
  fileprivate var canFinish: Bool {
    operation is Convolution || operation is LinearMap || operation is MatrixProduct
      || (operation as? Arithmetic)?.kind == .add
  }
}
