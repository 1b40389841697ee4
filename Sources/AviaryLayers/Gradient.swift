import AviaryTensors

/// The gradients of one loss with respect to the parameters of a model.
public struct Gradients {
  private var tensors: [ObjectIdentifier: Tensor] = [:]

  /// No gradients: a start for those that are worked out otherwise than by ``valueAndGradient(of:_:)``.
  public init() {}

  /// The gradient of one parameter; nil when it is frozen or the loss does not depend on it.
  public subscript(_ parameter: Parameter) -> Tensor? {
    get { tensors[ObjectIdentifier(parameter)] }
    set { tensors[ObjectIdentifier(parameter)] = newValue }
  }

  /// True when no parameter has a gradient.
  public var isEmpty: Bool { tensors.isEmpty }

  /// √(Σ g²) over everything.
  public var norm: Float { tensors.values.reduce(0) { $0 + $1.square().sum().item() }.squareRoot() }

  /// Every gradient multiplied by `factor`.
  public mutating func scale(by factor: Float) { tensors = tensors.mapValues { $0 * factor } }
}

/// The value of a loss and its gradients with respect to everything trained in `model`.
///
/// `body` returns one element. Only what follows the first parameter that is not frozen is recorded, so a frozen beginning of a
/// network costs no memory and no backward pass.
public func valueAndGradient<Failure: Error>(
  of model: some Module, _ body: () throws(Failure) -> Tensor
) throws(Failure) -> (value: Tensor, gradients: Gradients) {
  let trained = model.parameters.filter { !$0.isFrozen }
  let leaves = trained.map { $0.startTracking() }
  defer { for parameter in trained { parameter.stopTracking() } }
  var loss = try recorded(body)
  let value = loss.detached
  let results = backward(from: take(&loss, leaving: value), to: leaves)
  var gradients = Gradients()
  for (parameter, gradient) in zip(trained, results) { gradients[parameter] = gradient }
  return (value, gradients)
}

private func recorded<Failure: Error>(_ body: () throws(Failure) -> Tensor) throws(Failure) -> Tensor {
  var result: Result<Tensor, Failure>?
  withRecording { result = Result(catching: body) }
  return try result!.get()
}

/// Hands over the only reference, so that the recording can be released while it is walked.
private func take(_ tensor: inout Tensor, leaving rest: Tensor) -> Tensor {
  defer { tensor = rest }
  return tensor
}
