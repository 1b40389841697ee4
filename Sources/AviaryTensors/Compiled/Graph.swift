/// A network as a list of operations in order, on values known by number: what is captured, rewritten and then planned.
struct Graph: Sendable {
  typealias Value = Int

  /// A value that is known beforehand.
  enum Constant {
    case ready(Tensor)
    /// A convolution's weights with a factor per filter, multiplied when they are packed: all products at once would take as much
    /// memory as the network.
    case scaled(Tensor, factors: Tensor)

    var tensor: Tensor {
      switch self {
      case .ready(let tensor): return tensor
      case .scaled(let weights, let factors):
        let perFilter = [factors.count] + Shape(repeating: 1, count: weights.rank - 1)
        return weights.cast(to: .float32) * factors.reshaped(perFilter)
      }
    }
  }

  struct Node: Sendable {
    var operation: any Operation
    var inputs: [Value]
    var outputs: [Value]
    /// What the kernel of a convolution, linear map or sum does to its result.
    var activation: EltwiseKernel?
    var entry: Entry?
    /// A value that a convolution adds to its result, before the activation.
    var addend: Value?

    var reads: [Value] {
      var read = inputs
      if case .expansion(let node) = entry { read.replaceSubrange(0..<1, with: node.reads) }
      return read + (addend.map { [$0] } ?? [])
    }
  }

  /// What the loop of a depthwise convolution does to its operand first.
  indirect enum Entry: Sendable {
    case activation(EltwiseKernel)
    /// It makes the operand: by a convolution with filters of one pixel, which is no node of the graph any more.
    case expansion(Node)
  }

  /// Shapes by value.
  private(set) var specs: [TensorSpec] = []
  /// Values that do not depend on the input: weights, and whatever is computed from them alone.
  var constants: [Value: Constant] = [:]
  var nodes: [Node] = []
  private(set) var inputs: [Value] = []
  private(set) var outputs: [Value] = []

  /// From the steps of a trace.
  ///
  /// - Parameter weights: the real tensor behind an abstract one, when it stands for a parameter or buffer.
  init(_ steps: [Trace.Step], inputs: [Tensor], outputs: [Tensor], weights: (Tensor) -> Tensor?) {
    var values: [ObjectIdentifier: Value] = [:]
    for input in inputs {
      let value = add(input.spec)
      self.inputs.append(value)
      values[input.identity] = value
    }
    /// The number of a tensor; one that no step made is a constant.
    func value(_ tensor: Tensor) -> Value {
      if let known = values[tensor.identity], specs[known] == tensor.spec { return known }
      let constant = weights(tensor) ?? tensor
      require(
        !constant.isAbstract,
        "a value of \(tensor.shape.shapeText) was made without an operation: it cannot be captured")
      let value = add(.ready(constant), tensor.spec)
      values[tensor.identity] = value
      return value
    }
    for step in steps {
      let inputs = step.inputs.map(value)
      let outputs = step.outputs.map { add($0.spec) }
      for (tensor, value) in zip(step.outputs, outputs) { values[tensor.identity] = value }
      nodes.append(
        Node(
          operation: step.operation, inputs: inputs, outputs: outputs,
          activation: step.operation.rectifies ? EltwiseKernel(function: .relu) : nil))
    }
    self.outputs = outputs.map(value)
  }

  /// The network's results for its inputs, operation by operation.
  func evaluated(_ inputs: [Tensor]) -> [Tensor] {
    var values = constants.mapValues(\.tensor)
    for (value, input) in zip(self.inputs, inputs) { values[value] = input }
    for node in nodes {
      var context = ForwardContext(isRecording: false)
      let results = node.operation.forward(node.inputs.map { values[$0]! }, &context)
      for (value, result) in zip(node.outputs, results) { values[value] = result }
    }
    return outputs.map { values[$0]!.rowMajor() }
  }

  /// A new value.
  mutating func add(_ spec: TensorSpec) -> Value {
    specs.append(spec)
    return specs.count - 1
  }

  /// A new value that does not depend on the input.
  mutating func add(_ constant: Constant, _ spec: TensorSpec) -> Value {
    let value = add(spec)
    constants[value] = constant
    return value
  }

  /// How often each value is read, each result of the whole network counting as one reading.
  func readers() -> [Value: Int] {
    var count: [Value: Int] = [:]
    for output in outputs { count[output, default: 0] += 1 }
    for node in nodes { for value in node.reads { count[value, default: 0] += 1 } }
    return count
  }

  /// The places of the nodes that read each value.
  func consumers() -> [Value: [Int]] {
    var places: [Value: [Int]] = [:]
    for (place, node) in nodes.enumerated() {
      for value in node.reads { places[value, default: []].append(place) }
    }
    return places
  }

  /// The place of the node that makes each value.
  func producers() -> [Value: Int] {
    var places: [Value: Int] = [:]
    for (place, node) in nodes.enumerated() { for value in node.outputs { places[value] = place } }
    return places
  }
}

extension Operation {
  /// Whether the operation's own kernel ends with a ReLU, which in a graph is the node's activation.
  fileprivate var rectifies: Bool {
    switch self {
    case let convolution as Convolution: convolution.rectifies
    case let norm as BatchNormalization: norm.rectifies && norm.usesGivenStatistics
    default: false
    }
  }
}
