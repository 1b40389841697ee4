import AviaryTensors

/// The gradients of one loss with respect to the parameters of a model.
public struct Gradients: Sendable {
  /// In the order in which they were given: a sum over all of them must not depend on where parameters lie in memory.
  private var entries: [(parameter: ObjectIdentifier, gradient: Tensor?)] = []
  private var places: [ObjectIdentifier: Int] = [:]

  /// No gradients: a start for those that are worked out otherwise than by ``valueAndGradient(of:_:)``.
  public init() {}

  /// The gradient of one parameter; nil when it is frozen or the loss does not depend on it.
  public subscript(_ parameter: Parameter) -> Tensor? {
    get { self[ObjectIdentifier(parameter)] }
    set { self[ObjectIdentifier(parameter)] = newValue }
  }

  private subscript(_ key: ObjectIdentifier) -> Tensor? {
    get { places[key].flatMap { entries[$0].gradient } }
    set {
      if let place = places[key] {
        entries[place].gradient = newValue
      } else if let newValue {
        places[key] = entries.count
        entries.append((key, newValue))
      }
    }
  }

  /// True when no parameter has a gradient.
  public var isEmpty: Bool { entries.allSatisfy { $0.gradient == nil } }

  /// √(Σ g²) over everything.
  public var norm: Float {
    entries.reduce(0) { $0 + ($1.gradient?.square().sum().item() ?? 0) }.squareRoot()
  }

  /// Every gradient multiplied by `factor`.
  public mutating func scale(by factor: Float) { mapInPlace { $0 * factor } }

  /// Every gradient changed by `transform`.
  package mutating func mapInPlace(_ transform: (Tensor) -> Tensor) {
    for place in entries.indices { entries[place].gradient = entries[place].gradient.map(transform) }
  }

  /// Adds `factor` times the others, parameter by parameter.
  package mutating func add(_ others: Gradients, times factor: Float) {
    for case (let key, let other?) in others.entries {
      let product = factor == 1 ? other : other * factor
      self[key] = self[key].map { $0 + product } ?? product
    }
  }
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

/// The result of `body`, recorded for a gradient.
package func recorded<Failure: Error>(_ body: () throws(Failure) -> Tensor) throws(Failure) -> Tensor {
  var result: Result<Tensor, Failure>?
  withRecording { result = Result(catching: body) }
  return try result!.get()
}

/// Hands over the only reference, so that the recording can be released while it is walked.
private func take(_ tensor: inout Tensor, leaving rest: Tensor) -> Tensor {
  defer { tensor = rest }
  return tensor
}
