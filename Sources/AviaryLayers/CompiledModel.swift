import AviaryTensors

/// A network compiled for speed: batch normalization folded, activations and sums fused, algorithms and layouts chosen, memory laid out.
///
/// It holds the weights the network had when it was compiled. Results equal the network's own within rounding. Inputs of other shapes are
/// compiled for when they first come; the plans used last are kept.
public final class CompiledNetwork {
  private let module: any Module
  private let compilation: Compilation
  private let complete: (NamedTensors) -> NamedTensors
  private let inputNames: [String]
  private let outputNames: [String]
  private let body: ([Tensor]) -> [Tensor]
  private var plans = PlanCache()

  /// - Parameters:
  ///   - module: whose weights `body` uses; it is put into evaluation mode.
  ///   - complete: adds inputs that may be left out.
  ///   - body: the outputs in order for the inputs in order.
  public init(
    _ module: some Module, inputs: [String], outputs: [String],
    algorithms: AlgorithmChoice = .measured, precision: DType = .float32,
    completing complete: @escaping (NamedTensors) -> NamedTensors = { $0 },
    capturing body: @escaping ([Tensor]) -> [Tensor]
  ) {
    compilation = Compilation(algorithms, precision)
    module.evaluate()
    self.module = module
    self.complete = complete
    self.body = body
    inputNames = inputs
    outputNames = outputs
  }

  /// The network's outputs. Not to be called from several threads at once, for which there is ``SharedNetwork``.
  public func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let inputs = complete(inputs)
    let tensors = inputNames.map { inputs[$0] }
    return NamedTensors(Array(zip(outputNames, graph(for: tensors.map(\.spec))(tensors))))
  }

  /// The plan for inputs of these shapes and types.
  public func graph(for inputs: [TensorSpec]) -> CompiledGraph {
    if let known = plans.graph(for: inputs) { return known }
    let graph = compilation.graph(for: inputs, of: module, capturing: body)
    plans.insert(graph)
    return graph
  }
}

extension Network {
  /// Compiles the network; plans are made when inputs first come.
  public func compiled(
    algorithms: AlgorithmChoice = .measured, precision: DType = .float32
  ) -> CompiledNetwork {
    let (inputs, outputs) = (signature.inputs.map(\.name), signature.outputs.map(\.name))
    return CompiledNetwork(
      self, inputs: inputs, outputs: outputs, algorithms: algorithms, precision: precision,
      completing: completed
    ) { tensors in
      let results = self(NamedTensors(Array(zip(inputs, tensors))))
      return outputs.map { results[$0] }
    }
  }
}

/// A compiled model of one input and one output.
public final class CompiledModel {
  private let network: CompiledNetwork

  fileprivate init(_ network: CompiledNetwork) { self.network = network }

  /// The network's result. Not to be called from several threads at once, for which there is ``SharedNetwork``.
  public func callAsFunction(_ input: Tensor) -> Tensor { graph(for: input.shape)(input) }

  /// The plan for float32 inputs of one shape.
  public func graph(for shape: Shape) -> CompiledGraph { network.graph(for: [TensorSpec(shape)]) }
}

extension Layer {
  /// Compiles the model for inputs of one shape; it is put into evaluation mode.
  ///
  /// With the precision `bfloat16`, convolutions and linear maps round their operands to eight significant bits and add up in float32:
  /// faster where the processor has instructions for it, and off by about 1 % of the largest value. A processor without kernels for it
  /// (``DType/isComputed``) computes in float32.
  public func compiled(
    for inputShape: Shape, algorithms: AlgorithmChoice = .measured, precision: DType = .float32
  ) -> CompiledModel {
    let network = CompiledNetwork(
      self, inputs: ["input"], outputs: ["output"], algorithms: algorithms, precision: precision
    ) { [self($0[0])] }
    let model = CompiledModel(network)
    _ = model.graph(for: inputShape)
    return model
  }
}
