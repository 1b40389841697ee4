import AviaryTensors

/// What a model consists of: one row per operation it performs on an input of a given shape.
///
/// It is read off a trace, so no values are computed and weights that were never loaded are never made.
public struct Summary: Sendable, Codable {
  /// One operation.
  public struct Row: Sendable, Codable {
    /// The module whose parameters it reads, or else empty.
    public var name: String
    /// The ONNX name of the operation.
    public var operation: String
    /// Of the operation's first result.
    public var outputShape: Shape
    /// Trained values that no earlier row counted.
    public var parameters: Int
    /// Multiplications followed by an addition, of convolutions and matrix products only.
    public var multiplyAdds: Int
    /// Bytes of the result as float32.
    public var activationBytes: Int
    /// How many input positions per spatial axis one position of the result depends on, at most all; empty without spatial axes.
    public var receptiveField: [Int]
    /// True when every parameter of the row is frozen.
    public var isFrozen: Bool
  }

  /// The operations in the order in which they are performed.
  public var rows: [Row]
  /// Trained values of the whole model, those that no operation reads included.
  public var parameters: Int
  /// Trained values that are not frozen.
  public var trainableParameters: Int
  /// Multiplications followed by an addition, over all rows.
  public var multiplyAdds: Int
  /// Bytes of all rows' results as float32, as if all were kept.
  public var activationBytes: Int
  /// What the model was traced with, batch included.
  public var inputs: [Place]
  /// What the model makes of ``inputs``.
  public var outputs: [Place]

  /// A tensor that goes in or comes out.
  public struct Place: Sendable, Codable, Hashable {
    /// What the signature calls it.
    public var name: String
    /// Batch included.
    public var shape: Shape
    /// The element type.
    public var dtype: DType
  }

  /// Of the first input.
  public var inputShape: Shape { inputs[0].shape }
  /// Of the first output.
  public var outputShape: Shape { outputs[0].shape }
}

extension Summary {
  /// Describes `model` for an input of `inputShape`.
  public init(of model: some Layer, inputShape: Shape) {
    self.init(of: model, inputShape: inputShape) { model($0) }
  }

  /// As ``init(of:inputShape:)`` for a model that is called otherwise.
  public init(of model: some Module, inputShape: Shape, calling body: (Tensor) -> Tensor) {
    self.init(
      of: model, inputs: [Place(name: "input", shape: inputShape, dtype: .float32)], outputNames: ["output"]
    ) { [body($0[0])] }
  }

  /// Describes a network for inputs of these shapes and types; optional ones may be left out.
  public init(of network: some Network, inputs: NamedTensors) {
    let signature = network.signature
    let all = Trace.of { network.completed(inputs) }.result
    let (inputNames, outputNames) = (signature.inputs.map(\.name), signature.outputs.map(\.name))
    self.init(
      of: network,
      inputs: inputNames.map { Place(name: $0, shape: all[$0].shape, dtype: all[$0].dtype) },
      outputNames: outputNames
    ) { tensors in
      let results = network(NamedTensors(Array(zip(inputNames, tensors))))
      return outputNames.map { results[$0] }
    }
  }

  private init(
    of model: some Module, inputs places: [Place], outputNames: [String], calling body: ([Tensor]) -> [Tensor]
  ) {
    let inputs = places.map { Tensor.abstract(TensorSpec($0.shape, $0.dtype)) }
    let (results, steps) = Trace.of { body(inputs) }
    var owners: [ObjectIdentifier: (name: String, parameter: Parameter?)] = [:]
    for (name, parameter) in model.namedParameters { owners[parameter.tracedIdentity] = (name, parameter) }
    for (name, buffer) in model.namedBuffers { owners[buffer.tracedIdentity] = (name, nil) }

    // Places are those of the first input: what other inputs see of it is nothing.
    let inputShape = places[0].shape
    var fields = [inputs[0].identity: ReceptiveField(rank: max(inputShape.count - 2, 0))]
    var counted = Set<ObjectIdentifier>()
    rows = steps.map { step in
      let used = step.inputs.compactMap { owners[$0.identity] }
      let parameters = used.compactMap(\.parameter)
      let fresh = parameters.filter { counted.insert(ObjectIdentifier($0)).inserted }
      let field = step.inputs.compactMap { fields[$0.identity] }.reduce(nil as ReceptiveField?) {
        $0?.union($1) ?? $1
      }
      let seen = field.map { field in step.operation.window.map { field.sliding($0) } ?? field }
      for output in step.outputs { fields[output.identity] = seen }
      let shape = step.outputs[0].shape
      return Row(
        name: used.first.map { $0.name.split(separator: ".").dropLast().joined(separator: ".") } ?? "",
        operation: step.operation.onnxName, outputShape: shape,
        parameters: fresh.reduce(0) { $0 + $1.shape.elementCount }, multiplyAdds: step.multiplyAdds,
        activationBytes: shape.elementCount * 4,
        receptiveField: zip(seen?.extents ?? [], inputShape.dropFirst(2)).map(min),
        isFrozen: !parameters.isEmpty && parameters.allSatisfy(\.isFrozen))
    }
    parameters = model.parameterCount
    trainableParameters = model.parameters.filter { !$0.isFrozen }.reduce(0) { $0 + $1.shape.elementCount }
    multiplyAdds = rows.reduce(0) { $0 + $1.multiplyAdds }
    activationBytes = rows.reduce(0) { $0 + $1.activationBytes }
    self.inputs = places
    outputs = zip(outputNames, results).map { Place(name: $0, shape: $1.shape, dtype: $1.dtype) }
  }
}

/// How far one position of a result sees, and how far apart two neighbouring positions look.
private struct ReceptiveField {
  var extents: [Int]
  var jump: [Int]

  init(rank: Int) {
    extents = .init(repeating: 1, count: rank)
    jump = extents
  }

  /// After a window: the field grows by (k − 1)·dilation jumps, the jump by the stride.
  func sliding(_ window: SlidingWindow) -> ReceptiveField {
    guard window.kernel.count == extents.count else { return self }
    var result = self
    for axis in extents.indices {
      result.extents[axis] += (window.kernel[axis] - 1) * window.dilation[axis] * jump[axis]
      result.jump[axis] *= window.stride[axis]
    }
    return result
  }

  /// Of several inputs. Where one has fewer positions, as the factors of squeeze-and-excitation, it is repeated between the others'.
  func union(_ other: ReceptiveField) -> ReceptiveField {
    var result = self
    result.extents = zip(extents, other.extents).map(max)
    result.jump = zip(jump, other.jump).map(min)
    return result
  }
}
