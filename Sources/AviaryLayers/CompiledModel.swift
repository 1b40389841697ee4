import AviaryTensors

/// A model compiled for speed: batch normalization folded, activations and sums fused, algorithms and layouts chosen, memory laid out.
///
/// It holds the weights the model had when it was compiled. Results equal the model's own within rounding. An input of another shape is
/// compiled for when it first comes; the last few shapes are kept.
public final class CompiledModel {
  private let compile: (TensorSpec) -> CompiledGraph
  private var graphs: [CompiledGraph] = []
  private static let keptShapes = 4

  fileprivate init(_ compile: @escaping (TensorSpec) -> CompiledGraph) { self.compile = compile }

  /// The network's result. Not to be called from several threads at once: compile once per thread.
  public func callAsFunction(_ input: Tensor) -> Tensor { graph(for: input.shape)(input) }

  /// The plan for inputs of one shape.
  public func graph(for shape: Shape) -> CompiledGraph {
    if let known = graphs.first(where: { $0.inputShape == shape }) { return known }
    if graphs.count == Self.keptShapes { graphs.removeFirst() }
    let graph = compile(TensorSpec(shape))
    graphs.append(graph)
    return graph
  }
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
    require(
      [.float32, .bfloat16].contains(precision), "models compute in float32 or bfloat16, not \(precision)")
    evaluate()
    var weights: [ObjectIdentifier: () -> Tensor] = [:]
    for (_, member) in members() {
      switch member {
      case .parameter(let parameter): weights[parameter.tracedIdentity] = { parameter.value.detached }
      case .buffer(let buffer): weights[buffer.tracedIdentity] = { buffer.value }
      case .module: break
      }
    }
    let model = CompiledModel { spec in
      CompiledGraph(spec, algorithms: algorithms, precision: precision, weights: { weights[$0.identity]?() })
      { self($0) }
    }
    _ = model.graph(for: inputShape)
    return model
  }
}
