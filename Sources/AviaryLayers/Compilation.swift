import AviaryTensors

/// How the plans of a network are made.
struct Compilation: Sendable {
  let algorithms: AlgorithmChoice
  let precision: DType

  init(_ algorithms: AlgorithmChoice, _ precision: DType) {
    require(
      [.float32, .bfloat16].contains(precision), "models compute in float32 or bfloat16, not \(precision)")
    self.algorithms = algorithms
    self.precision = precision
  }

  /// The plan of what `body` computes with the weights that `module` has now, for inputs of these shapes and types.
  func graph(
    for inputs: [TensorSpec], of module: any Module, capturing body: ([Tensor]) -> [Tensor]
  ) -> CompiledGraph {
    var weights: [ObjectIdentifier: () -> Tensor] = [:]
    for (_, member) in module.members() {
      switch member {
      case .parameter(let parameter): weights[parameter.tracedIdentity] = { parameter.value.detached }
      case .buffer(let buffer): weights[buffer.tracedIdentity] = { buffer.value }
      case .module: break
      }
    }
    return CompiledGraph(
      inputs, algorithms: algorithms, precision: precision, weights: { weights[$0.identity]?() },
      capturing: body)
  }
}

/// The plans that were used last, by the shapes and types of their inputs.
struct PlanCache {
  /// The one used last at the end.
  private var graphs: [CompiledGraph] = []
  private static let keptShapes = 4

  /// The plan for such inputs, which counts as used now.
  mutating func graph(for inputs: [TensorSpec]) -> CompiledGraph? {
    guard let place = graphs.firstIndex(where: { $0.inputs == inputs }) else { return nil }
    graphs.append(graphs.remove(at: place))
    return graphs[graphs.count - 1]
  }

  /// Keeps a plan that was just made, in the place of the one not used for longest.
  mutating func insert(_ graph: CompiledGraph) {
    if graphs.count == Self.keptShapes { graphs.removeFirst() }
    graphs.append(graph)
  }
}
