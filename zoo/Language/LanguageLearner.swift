import AviaryLayers
import AviaryTensors
import AviaryTraining

/// A network that learns to guess the next token of texts: cross-entropy in nats per token.
///
/// A network with a state carries it from batch to batch and learns through one batch at a time (truncated backpropagation through time, Williams
/// & Peng 1990), from ``TextStreams`` in their order; any other learns from ``TextWindows``.
///
///     let learner = LanguageLearner(CharRNN(), Adam(learningRate: 2e-3))
///     let trainer = Trainer(learner)
///     trainer.order = .sequential
///     try trainer.fit(try TextStreams(tokens, streams: 32, length: 64), epochs: 10, batchSize: 32)
public final class LanguageLearner: SingleNetworkLearner {
  public let network: any Module
  public let optimizer: any Optimizer
  public var gradientNormLimit: Float?
  public var average: ExponentialMovingAverage?
  private let model: any Network
  /// The input of tokens N×T and the output of logits N×T×V.
  private let (tokens, logits): (String, String)
  /// The inputs that may be left out and are outputs too.
  private let states: [String]
  /// What the batch before left behind, cut off from how it was computed.
  private var state = NamedTensors()

  /// - Parameter network: one whose first input are tokens N×T and whose first output are the logits N×T×V of the tokens after them. Inputs that may
  ///   be left out and are outputs too are its state.
  public init(_ network: any Network, _ optimizer: any Optimizer) {
    let signature = network.signature
    require(
      signature.inputs.first?.bound != nil && !signature.outputs.isEmpty,
      "the network's first input are no tokens below a bound")
    (tokens, logits) = (signature.inputs[0].name, signature.outputs[0].name)
    states = signature.stateNames
    (self.network, model, self.optimizer) = (network, network, optimizer)
  }

  /// Whether the network carries a state from piece to piece.
  public var hasState: Bool { !states.isEmpty }

  /// Whether a network would carry a state from piece to piece.
  package static func carriesState(_ network: any Network) -> Bool { !network.signature.stateNames.isEmpty }

  public func learn(from batch: TextBatch) throws -> Evaluation {
    var read: (evaluation: Evaluation, state: NamedTensors)?
    _ = try step {
      try valueAndGradient(of: network) { () throws in
        let (loss, found, next) = evaluate(batch)
        // An optimiser that looks several times looks from the same state.
        read = read ?? (found, next)
        return loss
      }
    }
    guard let read else { requirementFailure("the optimiser took a step without looking at the loss") }
    state = read.state
    return read.evaluation
  }

  public func evaluation(of batch: TextBatch) -> Evaluation {
    let (_, evaluation, next) = evaluate(batch)
    state = next
    return evaluation
  }

  private func evaluate(
    _ batch: TextBatch
  ) -> (loss: Tensor, evaluation: Evaluation, state: NamedTensors) {
    var inputs = batch.isBeginning ? NamedTensors() : state
    inputs[tokens] = batch.tokens
    let outputs = model(model.completed(inputs))
    let scores = outputs[logits]
    let rows = scores.reshaped([-1, scores.shape[2]])  // N·T×V
    let targets = batch.targets.reshaped([-1])
    let loss = softmaxCrossEntropy(rows, labels: targets)
    let guesses = rows.detached.argMax().values(of: Int64.self)
    let right = zip(guesses, targets.values(of: Int64.self)).count { $0 == $1 }
    let evaluation = Evaluation(
      loss: loss.detached.item(), count: batch.tokens.shape[0],
      metrics: ["accuracy": Float(right) / Float(max(guesses.count, 1))])
    return (loss, evaluation, NamedTensors(states.map { ($0, outputs[$0].detached) }))
  }

  // MARK: Going on later

  /// What is read, beside the optimiser's state and the averages.
  private static let reading = "reading"

  public func savedStates() -> [String: SavedState] {
    var saved = ["optimizer": optimizer.state(of: network)]
    saved["average"] = average?.state(of: network)
    saved[Self.reading] = SavedState(tensors: Array(zip(state.names, state.tensors)).map { ($0, $1) })
    return saved
  }

  public func restore(_ saved: [String: SavedState]) throws(SavedStateError) {
    guard let optimizerState = saved["optimizer"] else { throw .missing("optimizer") }
    guard (average == nil) == (saved["average"] == nil) else {
      throw average == nil ? .unexpected("average") : .missing("average")
    }
    // Before the first batch there is none.
    let read = saved[Self.reading]?.tensors ?? []
    if !read.isEmpty {
      for name in states where !read.contains(where: { $0.name == name }) { throw .missing(name) }
    }
    for (name, tensor) in read {
      guard states.contains(name), read.count == states.count,
        let axes = model.signature.inputs.first(where: { $0.name == name })?.axes
      else { throw .unexpected(name) }
      guard tensor.dtype == .float32 else { throw .type(name, given: tensor.dtype) }
      let expected = axes.enumerated().map { place, axis in
        if case .fixed(let extent) = axis { extent } else { place < tensor.rank ? tensor.shape[place] : 1 }
      }
      guard tensor.shape == expected else { throw .shape(name, given: tensor.shape, expected: expected) }
    }
    try optimizer.restore(optimizerState, of: network)
    if let state = saved["average"] { try average?.restore(state, of: network) }
    state = NamedTensors(read.map { ($0.name, $0.tensor) })
  }
}

extension Signature {
  /// The inputs that may be left out and are outputs too: what a network carries from call to call.
  var stateNames: [String] {
    let names = Set(outputs.map(\.name))
    return inputs.filter { $0.isOptional && names.contains($0.name) }.map(\.name)
  }
}
