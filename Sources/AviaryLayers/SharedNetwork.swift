import AviaryTensors
import Synchronization

/// A network that threads share: any of them may call it, synchronously, at any time.
///
/// It takes the network over, so that nobody else can change it, and runs it as an ``Execution`` says. One instance runs inputs of one
/// shape one after another, in memory that is kept. For calls at the same time there are copies, each with memory of its own; the module,
/// its weights and what compiling made of them are the same for all of them. A server keeps a pool of copies, about as many as it has cores
/// to spare:
///
///     let network = SharedNetwork(UNet())
///     let pool = (0..<4).map { _ in network.copy() }
///
/// Where a network runs in parts with plain Swift between them, each part is a ``piece(inputs:outputs:_:)``.
public final class SharedNetwork: Sendable {
  /// The names of the inputs, in order.
  public let inputs: [String]
  /// The names of the outputs, in order.
  public let outputs: [String]
  /// How calls are run.
  public let execution: Execution

  /// What is computed: all of a network or a piece of it. Gives the outputs for all inputs.
  private typealias Body = @Sendable (SharedModule.Content, NamedTensors) -> NamedTensors

  private let module: SharedModule
  /// The inputs that a caller may leave out.
  private let optionalInputs: [String]
  private let body: Body
  /// Nil where nothing is compiled.
  private let compilation: Compilation?
  private let plans = Mutex(PlanCache())
  private let siblings: SiblingPlans

  private init(
    _ module: SharedModule, inputs: [String], optionalInputs: [String] = [], outputs: [String],
    _ execution: Execution, siblings: SiblingPlans = SiblingPlans(), _ body: @escaping Body
  ) {
    self.module = module
    self.inputs = inputs
    self.optionalInputs = optionalInputs
    self.outputs = outputs
    self.execution = execution
    self.siblings = siblings
    self.body = body
    compilation =
      switch execution {
      case .compiled(let algorithms, let precision): Compilation(algorithms, precision)
      case .eager: nil
      }
  }

  /// Takes a network over and puts it into evaluation mode; nothing is compiled before inputs come.
  ///
  /// The compiler sees that nobody else has the network: it comes from a function that made it, or loaded its weights, and is not used
  /// afterwards.
  public convenience init<Model: Network>(
    _ network: sending Model, execution: Execution = .compiled()
  ) {
    let signature = network.signature
    self.init(
      SharedModule(network), inputs: signature.inputs.map(\.name),
      optionalInputs: signature.inputs.filter(\.isOptional).map(\.name),
      outputs: signature.outputs.map(\.name), execution
    ) { $0($1) }
  }

  /// As ``init(_:execution:)``, for a model of one input and one output.
  public convenience init<Model: Layer>(
    layer: sending Model, input: String = "input", output: String = "output",
    execution: Execution = .compiled()
  ) {
    self.init(
      SharedModule(layer, input: input, output: output), inputs: [input], outputs: [output], execution
    ) { $0($1) }
  }

  /// Another one that runs at the same time as this one: it shares the module, its weights and what compiling makes of them, and has
  /// memory of its own for what is computed. Run operation by operation, copies take turns.
  public func copy() -> SharedNetwork {
    SharedNetwork(
      module, inputs: inputs, optionalInputs: optionalInputs, outputs: outputs, execution, siblings: siblings,
      body)
  }

  /// A part of the network that is called, and compiled, on its own: an encoder that runs once, a decoder that runs in a loop.
  ///
  ///     let decoder = vae.piece(inputs: ["z"], outputs: ["sample"]) { (vae: AutoencoderKL, tensors) in
  ///       ["sample": vae.decode(tensors["z"])]
  ///     }
  ///
  /// - Parameter body: gives the outputs for the inputs, all of which it is called with. It gets the network as the type that it names,
  ///   which the network must be of, and must call neither this object nor others that share the network.
  public func piece<Model>(
    inputs: [String], outputs: [String],
    _ body: @escaping @Sendable (Model, NamedTensors) -> NamedTensors
  ) -> SharedNetwork {
    module.check(is: Model.self)
    return SharedNetwork(module, inputs: inputs, outputs: outputs, execution) {
      body($0.module as! Model, $1)
    }
  }

  /// `body` with the network itself, as the type that `body` names: for summaries and files. Nobody else uses the network meanwhile, so
  /// `body` must call neither this object nor others that share it.
  ///
  /// Plans keep the weights that they were compiled with: what `body` changes is not in those that have been made.
  public func withNetwork<Model, Result: Sendable>(
    _ body: @Sendable (Model) throws -> Result
  ) rethrows -> Result {
    module.check(is: Model.self)
    return try module.withLock { try body($0.module as! Model) }
  }

  /// The outputs for the inputs, of which optional ones may be left out. Calls from several threads for inputs of one shape wait for each
  /// other.
  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let inputs = completed(inputs)
    switch execution {
    case .compiled:
      let tensors = self.inputs.map { inputs[$0] }
      return NamedTensors(Array(zip(outputs, graph(for: tensors.map(\.spec))(tensors))))
    case .eager(let isExact):
      let results = module.withLock { module in
        isExact ? withExactArithmetic { body(module, inputs) } : body(module, inputs)
      }
      return NamedTensors(outputs.map { ($0, results[$0]) })
    }
  }

  /// The only output for the only input.
  public func callAsFunction(_ input: Tensor) -> Tensor {
    require(
      inputs.count == 1 && outputs.count == 1,
      "one tensor was given and one is wanted, but the network maps \(inputs) to \(outputs)")
    return self([inputs[0]: input])[outputs[0]]
  }

  /// The plan for inputs of these shapes and types, in order, which is made now where there is none: for measurements, and to compile
  /// before the first call.
  public func graph(for specs: [TensorSpec]) -> CompiledGraph {
    guard let compilation else {
      requirementFailure("there is no plan of a network that is run operation by operation")
    }
    if let known = plans.withLock({ $0.graph(for: specs) }) { return known }
    return module.withLock { module in
      // Another thread may have made it meanwhile.
      if let known = plans.withLock({ $0.graph(for: specs) }) { return known }
      let graph =
        siblings.graph(for: specs)?.copy()
        ?? compilation.graph(for: specs, of: module.module) { tensors in
          let results = body(module, NamedTensors(Array(zip(inputs, tensors))))
          return outputs.map { results[$0] }
        }
      siblings.insert(graph)
      plans.withLock { $0.insert(graph) }
      return graph
    }
  }

  /// The inputs with those that were left out. The network is asked, and waited for, only where there are some.
  private func completed(_ inputs: NamedTensors) -> NamedTensors {
    guard optionalInputs.contains(where: { inputs[ifPresent: $0] == nil }) else { return inputs }
    return module.withLock { $0.completed(inputs) }
  }
}

/// A module in the hands of one thread at a time.
private final class SharedModule: Sendable {
  enum Content {
    case network(any Network)
    case layer(any Layer, input: String, output: String)

    var module: any Module {
      switch self {
      case .network(let network): network
      case .layer(let layer, _, _): layer
      }
    }

    func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
      switch self {
      case .network(let network): network(inputs)
      case .layer(let layer, let input, let output): [output: layer(inputs[input])]
      }
    }

    func completed(_ inputs: NamedTensors) -> NamedTensors {
      if case .network(let network) = self { network.completed(inputs) } else { inputs }
    }
  }

  private let content: Mutex<Content>

  init<Model: Network>(_ network: sending Model) {
    network.evaluate()
    content = Mutex(.network(network))
  }

  init<Model: Layer>(_ layer: sending Model, input: String, output: String) {
    layer.evaluate()
    content = Mutex(.layer(layer, input: input, output: output))
  }

  func withLock<Result: Sendable>(_ body: @Sendable (Content) throws -> Result) rethrows -> Result {
    try content.withLock { try body($0) }
  }

  /// Ends with a message unless the module is of this type.
  func check<Model>(is type: Model.Type) {
    withLock {
      require(
        $0.module is Model, "a \(Model.self) was asked for, the network is a \(Swift.type(of: $0.module))")
    }
  }
}

/// The plans of all copies of a network, where one finds another one's for the shapes that it needs. Only the copies keep them.
private final class SiblingPlans: Sendable {
  private struct Reference { weak var graph: CompiledGraph? }
  private let references = Mutex<[Reference]>([])

  func graph(for inputs: [TensorSpec]) -> CompiledGraph? {
    references.withLock { references in
      references.lazy.compactMap(\.graph).first { $0.inputs == inputs }
    }
  }

  func insert(_ graph: CompiledGraph) {
    references.withLock { references in
      references.removeAll { $0.graph == nil }
      references.append(Reference(graph: graph))
    }
  }
}
