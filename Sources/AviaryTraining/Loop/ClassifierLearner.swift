import AviaryLayers
import AviaryTensors

/// What a network gives for a batch while it is trained.
public struct TrainingLogits {
  /// Logits of a classifier half way, and what their loss is multiplied by.
  public struct Auxiliary {
    /// Scores N×classes of the classifier half way.
    public let logits: Tensor
    /// What the loss of these logits counts beside that of the network's own.
    public let lossWeight: Float

    /// Logits N×classes whose loss counts `lossWeight` times.
    public init(logits: Tensor, lossWeight: Float) {
      self.logits = logits
      self.lossWeight = lossWeight
    }
  }

  /// Scores N×classes of the network itself.
  public let logits: Tensor
  /// Those of its auxiliary classifiers.
  public let auxiliary: [Auxiliary]

  /// The network's logits N×classes, and those of auxiliary classifiers where it has some.
  public init(logits: Tensor, auxiliary: [Auxiliary] = []) {
    self.logits = logits
    self.auxiliary = auxiliary
  }
}

/// A network that learns classes from labels.
public final class ClassifierLearner: Learner {
  /// The network that learns: inputs to logits N×classes.
  public let model: any Layer
  /// What changes its weights.
  public let optimizer: any Optimizer
  /// Scaled to the size of the model's input and averaged over the batch; by default softmax cross-entropy.
  public var loss: (_ logits: Tensor, _ labels: Tensor) -> Tensor = { softmaxCrossEntropy($0, labels: $1) }
  /// The forward pass of a training step; by default the model's own. Losses of auxiliary logits are added with their weights.
  public var forward: (Tensor) -> TrainingLogits
  /// The logits N×classes of a batch outside of training; by default the model's own.
  public var predict: (Tensor) -> Tensor
  /// Gradients longer than this are scaled down.
  public var gradientNormLimit: Float?
  /// Examples whose gradients are worked out at once; those of a batch are added up. Nil for whole batches.
  public var microBatch: Int?
  /// Averages of the weights, which are judged and saved in their place; nil for none.
  public var average: ExponentialMovingAverage?
  /// Changes a batch of inputs before a step, to vary the examples.
  public var augment: ((Tensor) -> Tensor)?

  /// A classifier that learns by softmax cross-entropy until told otherwise.
  public init(_ model: any Layer, _ optimizer: any Optimizer) {
    self.model = model
    self.optimizer = optimizer
    forward = { TrainingLogits(logits: model($0)) }
    predict = { model($0) }
  }

  public var modules: [any Module] { [model] }
  public var optimizers: [any Optimizer] { [optimizer] }

  public func learn(from batch: Batch) throws -> Evaluation {
    let inputs = augment?(batch.inputs) ?? batch.inputs
    var accumulated = GradientAccumulation()
    var result = Evaluation.none
    for rows in batch.parts(of: microBatch) {
      let part = batch.count == rows.count ? inputs : inputs.sliced(0, rows)
      let labels = batch.count == rows.count ? batch.labels : batch.labels.sliced(0, rows)
      var hits = 0
      let (value, gradients) = try valueAndGradient(of: model) { () -> Tensor in
        let output = forward(part)
        try batch.requireLabels(below: output.logits.shape.last ?? 0)
        hits = correctCount(output.logits.detached, labels)
        return output.auxiliary.reduce(loss(output.logits, labels)) { sum, auxiliary in
          sum + loss(auxiliary.logits, labels) * auxiliary.lossWeight
        }
      }
      result = result.joined(with: Evaluation(loss: value.item(), hits: hits, of: rows.count))
      accumulated.add(gradients, weight: Float(rows.count))
    }
    // Such gradients would spoil the weights.
    guard result.loss.isFinite else { return result }
    var gradients = accumulated.takeMean()
    if let limit = gradientNormLimit { gradients.clip(norm: limit) }
    optimizer.update(model, gradients)
    average?.update(model)
    return result
  }

  public func evaluation(of batch: Batch) throws -> Evaluation {
    let logits = predict(batch.inputs)
    try batch.requireLabels(below: logits.shape.last ?? 0)
    return Evaluation(
      loss: loss(logits, batch.labels).item(), hits: correctCount(logits, batch.labels), of: batch.count)
  }

  public func withWeightsForUse<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let average else { return try body() }
    return try average.withAverages(in: model, body)
  }

  /// The optimiser's state, and the averages where some are kept.
  public func savedStates() -> [String: SavedState] {
    var states = ["optimizer": optimizer.state(of: model)]
    states["average"] = average?.state(of: model)
    return states
  }

  public func restore(_ states: [String: SavedState]) throws(SavedStateError) {
    guard let state = states["optimizer"] else { throw .missing("optimizer") }
    guard (average == nil) == (states["average"] == nil) else {
      throw average == nil ? .unexpected("average") : .missing("average")
    }
    try optimizer.restore(state, of: model)
    if let state = states["average"] { try average?.restore(state, of: model) }
  }

  /// By accuracy, among equals by loss.
  public func isBetter(_ one: Evaluation, than other: Evaluation) -> Bool {
    one.accuracy == other.accuracy ? one.loss < other.loss : one.accuracy > other.accuracy
  }
}

extension Trainer where Student == ClassifierLearner {
  /// Trains a classifier; ``learner`` has its loss, augmentation and the like.
  public convenience init(_ model: any Layer, _ optimizer: any Optimizer) {
    self.init(ClassifierLearner(model, optimizer))
  }
}

extension Evaluation {
  fileprivate init(loss: Float, hits: Int, of count: Int) {
    self.init(
      loss: loss, count: count, metrics: [Self.accuracy: Float(hits) / Float(max(count, 1))])
  }
}

extension Layer {
  /// The loss and accuracy of a classifier over a data set, in evaluation mode.
  public func evaluation(
    on data: any Dataset, batchSize: Int = 32,
    loss: (_ logits: Tensor, _ labels: Tensor) -> Tensor = { softmaxCrossEntropy($0, labels: $1) }
  ) throws -> Evaluation {
    evaluate()
    return try AviaryTraining.evaluation(of: { self($0) }, on: data, batchSize: batchSize, loss: loss)
  }
}

/// The loss and accuracy of any function from inputs to logits over a data set.
public func evaluation(
  of classifier: (Tensor) -> Tensor, on data: any Dataset, batchSize: Int = 32,
  loss: (_ logits: Tensor, _ labels: Tensor) -> Tensor = { softmaxCrossEntropy($0, labels: $1) }
) throws -> Evaluation {
  try stride(from: 0, to: data.count, by: batchSize).reduce(.none) { sum, first in
    let batch = try data.batch(Array(first..<min(first + batchSize, data.count)))
    let logits = classifier(batch.inputs)
    return sum.joined(
      with: Evaluation(
        loss: loss(logits, batch.labels).item(), hits: correctCount(logits, batch.labels), of: batch.count))
  }
}

extension Batch {
  /// The rows of parts of at most `size`; all of them where it is nil.
  fileprivate func parts(of size: Int?) -> [Range<Int>] {
    let size = min(size ?? count, count)
    require(size > 0, "parts of \(size) examples")
    return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
  }

  /// Throws ``TrainingError`` unless each label is one of so many classes.
  fileprivate func requireLabels(below classes: Int) throws(TrainingError) {
    for (place, label) in labels.values(of: Int64.self).enumerated() where !(0..<classes ~= Int(label)) {
      throw .label(Int(label), example: examples[place], classes: classes)
    }
  }
}

/// How many rows of `logits` (N×C) have their largest value at the label.
private func correctCount(_ logits: Tensor, _ labels: Tensor) -> Int {
  zip(logits.argMax(1).values(of: Int64.self), labels.values(of: Int64.self)).reduce(0) {
    $0 + ($1.0 == $1.1 ? 1 : 0)
  }
}
