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
      guard node.inputs.allSatisfy({ constants[$0] != nil }) else { return false }
      let inputs = node.inputs.map { constants[$0]!.tensor }
      var context = ForwardContext(isRecording: false)
      for (value, tensor) in zip(node.outputs, node.operation.forward(inputs, &context)) {
        constants[value] = .ready(tensor)
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
        nodes[source].operation is Convolution, nodes[source].activation == nil,
        case .ready(let weights) = constants[nodes[source].inputs[1]],
        case let parameters = node.inputs.dropFirst().compactMap({ constants[$0]?.tensor }),
        parameters.count == 4
      else { continue }
      let (scale, shift, mean, variance) = (parameters[0], parameters[1], parameters[2], parameters[3])
      let bias = nodes[source].inputs.count > 2 ? constants[nodes[source].inputs[2]]?.tensor : nil
      if nodes[source].inputs.count > 2, bias == nil { continue }
      let factors = scale / (variance + norm.epsilon).squareRoot()
      let offset = (bias.map { $0 - mean } ?? -mean) * factors + shift
      nodes[source].inputs = [
        nodes[source].inputs[0], add(.scaled(weights, factors: factors), TensorSpec(weights.shape)),
        add(.ready(offset), offset.spec),
      ]
      nodes[source].outputs = node.outputs
      nodes[source].activation = node.activation
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
        readers[node.inputs[0]] == 1, nodes[source].activation == nil,
        nodes[source].canFinish(with: eltwise.kernel),
        specs[node.inputs[0]].dtype == .float32
      else { continue }
      nodes[source].activation = eltwise.kernel
      nodes[source].outputs = node.outputs
      removed.insert(place)
    }
    removeNodes(removed)
  }

  /// The sum of a convolution's or product's result and an equal shape is made by that kernel itself, on top of the other summand.
  /// Of two such kernels the later one does it.
  private mutating func fuseAdditions() {
    let readers = readers()
    let producers = producers()
    var removed = Set<Int>()
    for (place, node) in nodes.enumerated() {
      guard let sum = node.operation as? Arithmetic, sum.kind == .add,
        specs[node.inputs[0]] == specs[node.inputs[1]], node.inputs[0] != node.inputs[1]
      else { continue }
      let candidates = node.inputs.compactMap { value -> (source: Int, value: Value)? in
        guard let source = producers[value], readers[value] == 1, nodes[source].canAdd,
          constants[nodes[source].inputs[1]] != nil, nodes[source].activation == nil,
          nodes[source].addend == nil
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

  mutating func removeNodes(_ places: Set<Int>) {
    nodes = nodes.enumerated().filter { !places.contains($0.offset) }.map(\.element)
  }
}

extension Graph.Node {
  /// Whether the kernel can apply an activation to its result.
  fileprivate func canFinish(with activation: EltwiseKernel) -> Bool {
    operation is Convolution || operation is LinearMap || operation is MatrixProduct
      || (operation as? Arithmetic)?.binaryFunction != nil
      || operation is BatchNormalization && activation == EltwiseKernel(function: .relu)
  }

  /// Whether the kernel can add to its result.
  fileprivate var canAdd: Bool { operation is Convolution || operation is LinearMap }
}
