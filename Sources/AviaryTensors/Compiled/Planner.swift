/// Turns a simplified graph into a plan: chooses algorithms, follows layouts from kernel to kernel, and inserts
/// a reorder where two do not agree.
struct Planner {
  private let graph: Graph
  private let algorithms: AlgorithmChoice
  /// What convolutions and linear maps compute on: float32, or bfloat16 with sums in float32.
  private let precision: DType
  private var plan = Plan()
  /// The planned value of each graph value.
  private var planned: [Graph.Value: Int] = [:]
  /// Copies of values in other layouts, so that two readers share one.
  private var copies: [Graph.Value: [(descriptor: MemoryDescriptor, value: Int)]] = [:]
  /// How many readings of each value are still to come.
  private var pending: [Graph.Value: Int]

  private init(_ graph: Graph, _ algorithms: AlgorithmChoice, _ precision: DType) {
    self.graph = graph
    self.algorithms = algorithms
    self.precision = precision
    pending = graph.readers()
  }

  /// The plan, and the numbers of its input and (row-major) output.
  static func plan(
    _ graph: Graph, _ algorithms: AlgorithmChoice, precision: DType
  ) -> (plan: Plan, input: Int, output: Int) {
    var planner = Planner(graph, algorithms, precision)
    let input = planner.plan.addValue(graph.specs[graph.input], .rowMajor(graph.specs[graph.input].shape))
    planner.planned[graph.input] = input
    for node in graph.nodes {
      planner.lower(node)
      for value in node.reads { planner.pending[value, default: 1] -= 1 }
    }
    let output = planner.value(graph.output, in: .rowMajor(graph.specs[graph.output].shape))
    planner.plan.keep(output)
    return (planner.plan, input, output)
  }

  private mutating func lower(_ node: Graph.Node) {
    switch node.operation {
    case let convolution as Convolution where graph.constants[node.inputs[1]] != nil: lower(convolution, node)
    case is LinearMap where graph.constants[node.inputs[1]] != nil: lowerLinear(node)
    case let pooling as Pooling: lower(pooling, node)
    case let eltwise as Eltwise where isFloat(node.inputs[0]): lower(eltwise, node)
    case let norm as BatchNormalization where norm.usesGivenStatistics: lower(norm, node)
    case is Reshape where isFloat(node.inputs[0]): lowerReshape(node)
    case let concatenation as Concatenate where node.inputs.allSatisfy(isFloat):
      lower(concatenation, node)
    default: lowerOperation(node)
    }
  }

  private func isFloat(_ value: Graph.Value) -> Bool { graph.specs[value].dtype == .float32 }

  // MARK: Values

  /// A graph value in whatever layout it lies.
  private mutating func value(_ value: Graph.Value) -> Int {
    if let known = planned[value] { return known }
    guard let constant = graph.constants[value]?.tensor else {
      preconditionFailure("a value is read before it is made")
    }
    let known = plan.addConstant(constant.isDense ? constant : constant.rowMajor())
    planned[value] = known
    return known
  }

  /// A graph value in a given layout, through a reorder when it lies otherwise.
  private mutating func value(_ graphValue: Graph.Value, in descriptor: MemoryDescriptor) -> Int {
    let source = value(graphValue)
    if plan.values[source].descriptor == descriptor { return source }
    if let copy = copies[graphValue]?.first(where: { $0.descriptor == descriptor }) { return copy.value }
    if case .constant(let tensor) = plan.values[source].location {
      return plan.addConstant(tensor.reordered(to: descriptor))
    }
    let copy = plan.addValue(graph.specs[graphValue], descriptor)
    plan.append(
      Primitive.reorder(from: plan.values[source].descriptor, to: descriptor),
      [(Primitive.Slot.source, source), (Primitive.Slot.destination, copy)], name: "reorder")
    copies[graphValue, default: []].append((descriptor, copy))
    return copy
  }

  /// A graph value in whatever layout it lies, but not in the shorter type that kernels may compute in.
  private mutating func float32Value(_ graphValue: Graph.Value) -> Int {
    let stored = value(graphValue)
    guard graph.constants[graphValue] == nil, plan.values[stored].descriptor.dtype == .bfloat16 else {
      return stored
    }
    return value(graphValue, in: .rowMajor(graph.specs[graphValue].shape))
  }

  private mutating func makeOutput(_ node: Graph.Node, _ descriptor: MemoryDescriptor) -> Int {
    let value = plan.addValue(graph.specs[node.outputs[0]], descriptor)
    planned[node.outputs[0]] = value
    return value
  }

  /// Whether nobody reads the value's bytes after the node that is being lowered, under this name or another.
  private func isLastReading(_ value: Graph.Value) -> Bool {
    guard pending[value] == 1, value != graph.input, graph.constants[value] == nil,
      let own = planned[value], case .arena(let block) = plan.values[own].location
    else { return false }
    return !planned.contains { other, place in
      guard other != value, pending[other, default: 0] > 0, case .arena(block) = plan.values[place].location
      else {
        return false
      }
      return true
    }
  }

  // MARK: Kernels

  private mutating func lower(_ convolution: Convolution, _ node: Graph.Node) {
    let weights = graph.constants[node.inputs[1]]!.tensor.cast(to: .float32)
    let bias = node.inputs.count > 2 ? graph.constants[node.inputs[2]]?.tensor : nil
    var kernel = ConvolutionKernel(
      convolution.geometry, input: graph.specs[node.inputs[0]].shape, weights: weights.shape,
      hasBias: bias != nil)
    if node.addend != nil { kernel.finishing.append(.accumulate) }
    if let activation = node.activation { kernel.finishing.append(.activation(activation)) }
    kernel.dtype = precision
    kernel.hasFixedWeights = true
    kernel.algorithm = algorithms.algorithm(for: kernel)
    let primitive = kernel.forwardPrimitive
    let source = value(node.inputs[0], in: primitive.descriptor(.source(0)))
    let layout = primitive.descriptor(.destination(0))
    let result: Int
    if let addend = node.addend {
      // The kernel adds to what lies in its result: the other summand itself when nobody needs it any more, else a copy.
      let held = value(addend)
      if isLastReading(addend), plan.values[held].descriptor == layout,
        case .arena = plan.values[held].location
      {
        result = plan.addAlias(of: held, graph.specs[node.outputs[0]], layout)
      } else {
        result = plan.addValue(graph.specs[node.outputs[0]], layout)
        plan.append(
          Primitive.reorder(from: plan.values[held].descriptor, to: layout),
          [(Primitive.Slot.source, held), (Primitive.Slot.destination, result)], name: "copy")
      }
      planned[node.outputs[0]] = result
    } else {
      result = makeOutput(node, layout)
    }
    let grouped = weights.reshaped(kernel.groupedWeights).reordered(to: primitive.descriptor(.weights(0)))
    releasePages(node.inputs[1])
    var operands = [
      (slot: Primitive.Slot.source, value: source), (Primitive.Slot.weights, plan.addConstant(grouped)),
      (Primitive.Slot.destination, result),
    ]
    if let bias {
      operands.append((Primitive.Slot.bias, plan.addConstant(bias.cast(to: .float32).rowMajor())))
    }
    plan.append(primitive, operands, name: name(node))
  }

  private mutating func lowerLinear(_ node: Graph.Node) {
    let weights = graph.constants[node.inputs[1]]!.tensor.cast(to: .float32)
    let bias = node.inputs.count > 2 ? graph.constants[node.inputs[2]]?.tensor : nil
    let (inputs, outputs) = (weights.shape[1], weights.shape[0])
    let rows = graph.specs[node.inputs[0]].shape.elementCount / inputs
    let primitive = MatmulKernel.primitive(
      MemoryDescriptor(shape: [rows, inputs], dtype: precision), .any([inputs, outputs], precision),
      hasBias: bias != nil, shape: [rows, outputs],
      finishing: node.activation.map { [.activation($0)] } ?? [])
    let shape = graph.specs[node.inputs[0]].shape
    let flat = value(node.inputs[0], in: MemoryDescriptor(shape: shape, dtype: precision))
    let source = plan.addAlias(of: flat, TensorSpec([rows, inputs]), primitive.descriptor(.source(0)))
    let result = plan.addValue(TensorSpec([rows, outputs]), .rowMajor([rows, outputs]))
    let packed = weights.transposed().reordered(to: primitive.descriptor(.weights(0)))
    releasePages(node.inputs[1])
    var operands = [
      (slot: Primitive.Slot.source, value: source), (Primitive.Slot.weights, plan.addConstant(packed)),
      (Primitive.Slot.destination, result),
    ]
    if let bias {
      operands.append(
        (Primitive.Slot.bias, plan.addConstant(bias.cast(to: .float32).reshaped([1, outputs]).rowMajor())))
    }
    plan.append(primitive, operands, name: name(node))
    let spec = graph.specs[node.outputs[0]]
    planned[node.outputs[0]] = plan.addAlias(of: result, spec, .rowMajor(spec.shape))
  }

  private mutating func lower(_ pooling: Pooling, _ node: Graph.Node) {
    let source = value(node.inputs[0])
    let primitive = pooling.primitive(graph.specs[node.inputs[0]])
      .forwardPrimitive(plan.values[source].descriptor)
    let result = makeOutput(node, primitive.descriptor(.destination(0)))
    plan.append(
      primitive, [(Primitive.Slot.source, source), (Primitive.Slot.destination, result)], name: name(node))
  }

  private mutating func lower(_ eltwise: Eltwise, _ node: Graph.Node) {
    let primitive = eltwise.kernel.forwardPrimitive(for: plan.values[value(node.inputs[0])].descriptor)
    let source = value(node.inputs[0], in: primitive.descriptor(.source(0)))
    let layout = primitive.descriptor(.destination(0))
    let result: Int
    if isLastReading(node.inputs[0]), case .arena = plan.values[source].location {
      result = plan.addAlias(of: source, graph.specs[node.outputs[0]], layout)
      planned[node.outputs[0]] = result
    } else {
      result = makeOutput(node, layout)
    }
    plan.append(
      primitive, [(Primitive.Slot.source, source), (Primitive.Slot.destination, result)], name: name(node))
  }

  private mutating func lower(_ norm: BatchNormalization, _ node: Graph.Node) {
    let source = value(node.inputs[0])
    let layout = plan.values[source].descriptor
    let primitive = BatchNormKernel(epsilon: norm.epsilon, usesGivenStatistics: true).forwardPrimitive(layout)
    let parameters = node.inputs.dropFirst().map { value($0, in: .rowMajor(graph.specs[$0].shape)) }
    let result = makeOutput(node, layout)
    let slots = [Primitive.Slot.scale, Primitive.Slot.shift, Primitive.Slot.mean, Primitive.Slot.variance]
    plan.append(
      primitive,
      [(Primitive.Slot.source, source), (Primitive.Slot.destination, result)]
        + zip(slots, parameters).map { ($0, $1) },
      name: name(node))
  }

  /// The same bytes when they are in logical order, else a reorder first.
  private mutating func lowerReshape(_ node: Graph.Node) {
    let source = value(node.inputs[0], in: .rowMajor(graph.specs[node.inputs[0]].shape))
    let spec = graph.specs[node.outputs[0]]
    planned[node.outputs[0]] = plan.addAlias(of: source, spec, .rowMajor(spec.shape))
  }

  private mutating func lower(_ concatenation: Concatenate, _ node: Graph.Node) {
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

  /// Whatever has no kernel that a plan can hold.
  private mutating func lowerOperation(_ node: Graph.Node) {
    let inputs = node.inputs.map { float32Value($0) }
    let outputs = node.outputs.map { output -> Int in
      let spec = graph.specs[output]
      let value = plan.addValue(spec, .rowMajor(of: spec))
      planned[output] = value
      return value
    }
    plan.append(node.operation, inputs: inputs, outputs: outputs)
    if let activation = node.activation {
      let result = planned[node.outputs[0]]!
      let layout = plan.values[result].descriptor
      plan.append(
        activation.forwardPrimitive(for: layout),
        [(Primitive.Slot.source, result), (Primitive.Slot.destination, result)], name: "activation")
    }
  }

  /// Once packed, weights in a mapped file are not read again by this plan.
  private func releasePages(_ value: Graph.Value) {
    switch graph.constants[value] {
    case .ready(let tensor), .scaled(let tensor, _): tensor.storage.releasePages()
    case nil: break
    }
  }

  private func name(_ node: Graph.Node) -> String {
    node.operation.onnxName + (node.addend == nil ? "" : " + Add")
      + (node.activation == nil ? "" : " + activation")
  }
}
