/// Turns a simplified graph into a plan: chooses algorithms, follows layouts from kernel to kernel, and inserts
/// a reorder where two do not agree.
struct Planner {
  let graph: Graph
  let algorithms: AlgorithmChoice
  /// What convolutions and linear maps compute on: float32, or bfloat16 with sums in float32.
  let precision: DType
  var plan = Plan()
  /// The planned value of each graph value.
  var planned: [Graph.Value: Int] = [:]
  /// Copies of values in other layouts, so that two readers share one.
  private var copies: [Graph.Value: [(descriptor: MemoryDescriptor, value: Int)]] = [:]
  let placement: Placement
  /// Squeeze-and-excitation that depthwise convolutions begin, by the value that they make.
  let excitations: [Graph.Value: Excitation]
  private let pointwiseLoops: [Graph.Value: PointwiseLoop]
  /// Steps that are done otherwise, by the value that they would make.
  var replaced: [Graph.Value: Replacement] = [:]
  /// The memory of concatenations whose operands are written into it, and how many channels lie together there.
  var wholes: [Graph.Value: (value: Int, block: Int)] = [:]
  /// How many readings of each value are still to come.
  private(set) var pending: [Graph.Value: Int]

  private init(_ graph: Graph, _ algorithms: AlgorithmChoice, _ precision: DType) {
    self.graph = graph
    self.algorithms = algorithms
    self.precision = precision
    pending = graph.readers()
    placement = Placement(graph)
    excitations = graph.excitations()
    pointwiseLoops = precision == .float32 ? graph.pointwiseLoops(excitations) : [:]
  }

  static func plan(_ graph: Graph, _ algorithms: AlgorithmChoice, precision: DType) -> Plan {
    var graph = graph
    if precision == .float32 { graph.moveEntries() }
    var planner = Planner(graph, algorithms, precision)
    planner.plan.inputs = graph.inputs.map { value -> Int in
      let spec = graph.specs[value]
      let input = planner.plan.addValue(spec, .rowMajor(of: spec))
      planner.planned[value] = input
      return input
    }
    for node in graph.nodes {
      planner.lower(node)
      for value in node.reads { planner.pending[value, default: 1] -= 1 }
    }
    planner.plan.outputs = graph.outputs.map { planner.value($0, in: .rowMajor(of: graph.specs[$0])) }
    // Only now are the steps known that bring results into their order: none of them may write over another result.
    for output in planner.plan.outputs { planner.plan.keep(output) }
    planner.plan.arena.place()
    return planner.plan
  }

  private mutating func lower(_ node: Graph.Node) {
    switch replaced[node.outputs[0]] {
    case .nothing: return
    case .scaling(let scaling): return lower(scaling, node)
    case nil: break
    }
    switch node.operation {
    case let convolution as Convolution where graph.constants[node.inputs[1]] != nil:
      if precision == .float32, let loop = graph.depthwiseLoop(node) {
        lower(loop, node)
      } else if let loop = pointwiseLoops[node.outputs[0]] {
        lower(loop, node)
      } else {
        lower(convolution, node)
      }
    case is LinearMap where graph.constants[node.inputs[1]] != nil: lowerLinear(node)
    case let pooling as Pooling: lower(pooling, node)
    case let eltwise as Eltwise where isFloat(node.inputs[0]): lower(eltwise, node)
    case let norm as BatchNormalization where norm.usesGivenStatistics: lower(norm, node)
    case let reshape as Reshape where isFloat(node.inputs[0]): lower(reshape, node)
    case let permute as Permute where isFloat(node.inputs[0]): lower(permute, node)
    case let slice as Slice where isFloat(node.inputs[0]): lower(slice, node)
    case is Concatenate where Placement.isSuitable(node, graph): lowerInPlace(node)
    case is Concatenate where node.inputs.allSatisfy(isFloat): lowerByCopying(node)
    case let product as MatrixProduct where node.inputs.allSatisfy(isFloat): lower(product, node)
    case let softmax as Softmax where isFloat(node.inputs[0]): lower(softmax, node)
    case let norm as LayerNormalization where node.inputs.allSatisfy(isFloat): lower(norm, node)
    case let arithmetic as Arithmetic where node.inputs.allSatisfy(isFloat): lower(arithmetic, node)
    default: lowerOperation(node)
    }
  }

  func isFloat(_ value: Graph.Value) -> Bool { graph.specs[value].dtype == .float32 }

  // MARK: Values

  /// A graph value in whatever layout it lies.
  mutating func value(_ value: Graph.Value) -> Int {
    if let known = planned[value] { return known }
    guard let constant = graph.constants[value]?.tensor else {
      requirementFailure("a value is read before it is made")
    }
    let known = plan.addConstant(constant.isDense ? constant : constant.rowMajor())
    planned[value] = known
    return known
  }

  /// A graph value in a given layout, through a reorder when it lies otherwise.
  mutating func value(_ graphValue: Graph.Value, in descriptor: MemoryDescriptor) -> Int {
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
  mutating func float32Value(_ graphValue: Graph.Value) -> Int {
    let stored = value(graphValue)
    guard graph.constants[graphValue] == nil, plan.values[stored].descriptor.dtype == .bfloat16 else {
      return stored
    }
    return value(graphValue, in: .rowMajor(graph.specs[graphValue].shape))
  }

  /// A graph value in a layout without gaps, which most kernels need.
  mutating func denseValue(_ graphValue: Graph.Value) -> Int {
    let source = value(graphValue)
    let isDense = plan.values[source].descriptor.isDense
    return isDense ? source : value(graphValue, in: .rowMajor(graph.specs[graphValue].shape))
  }

  mutating func makeOutput(_ node: Graph.Node, _ descriptor: MemoryDescriptor) -> Int {
    if let place = place(node.outputs[0], descriptor) {
      planned[node.outputs[0]] = place
      return place
    }
    let value = plan.addValue(graph.specs[node.outputs[0]], descriptor)
    planned[node.outputs[0]] = value
    return value
  }

  /// The node's result in the bytes of a planned value.
  mutating func aliasOutput(_ node: Graph.Node, of source: Int, _ descriptor: MemoryDescriptor) -> Int {
    let value = plan.addAlias(of: source, graph.specs[node.outputs[0]], descriptor)
    planned[node.outputs[0]] = value
    return value
  }

  /// The node's result over an operand, which lies at `source`, when nobody needs that any more; else in memory of its own.
  mutating func makeOutput(
    _ node: Graph.Node, over operand: Graph.Value, at source: Int, _ layout: MemoryDescriptor
  ) -> Int {
    mayOverwrite(operand, at: source) && !placement.isPart(node.outputs[0])
      ? aliasOutput(node, of: source, layout) : makeOutput(node, layout)
  }

  /// Where a kernel writes its result. One that adds finds the other summand there: itself when nobody needs it any more, else a copy.
  mutating func destination(_ node: Graph.Node, _ layout: MemoryDescriptor) -> Int {
    guard let addend = node.addend else { return makeOutput(node, layout) }
    let held = value(addend)
    if plan.values[held].descriptor == layout, mayOverwrite(addend, at: held) {
      return aliasOutput(node, of: held, layout)
    }
    let result = makeOutput(node, layout)
    plan.append(
      Primitive.reorder(from: plan.values[held].descriptor, to: layout),
      [(Primitive.Slot.source, held), (Primitive.Slot.destination, result)], name: "copy")
    return result
  }

  /// What the node's kernel does to its result.
  func finishing(_ node: Graph.Node) -> [PostOperation] {
    (node.addend == nil ? [] : [.accumulate]) + (node.activation.map { [.activation($0)] } ?? [])
  }

  /// Whether nobody reads the bytes at `source`, where a graph value lies, after the node that is being lowered: under this
  /// name or another.
  func mayOverwrite(_ value: Graph.Value, at source: Int) -> Bool {
    guard pending[value] == 1, !graph.inputs.contains(value), graph.constants[value] == nil,
      case .arena(let block) = plan.values[source].location
    else { return false }
    return !planned.contains { other, place in
      guard other != value, pending[other, default: 0] > 0, case .arena(block) = plan.values[place].location
      else {
        return false
      }
      return true
    }
  }

  // MARK: Everything else

  /// Whatever has no kernel that a plan can hold.
  mutating func lowerOperation(_ node: Graph.Node) {
    let inputs = node.inputs.map {
      node.operation is any WritingOperation
        ? value($0, in: .rowMajor(graph.specs[$0].shape)) : float32Value($0)
    }
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

  func name(_ node: Graph.Node) -> String {
    node.operation.onnxName + (node.addend == nil ? "" : " + Add")
      + (node.activation == nil ? "" : " + activation")
  }
}
