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
public final class ClassifierLearner: SingleNetworkLearner {
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
  /// Mixes the examples of a batch before a step, after ``augment``; nil for not at all. The loss is then that of both classes by their shares,
  /// and so is the accuracy.
  public var mixing: BatchMixing?

  /// A classifier that learns by softmax cross-entropy until told otherwise.
  public init(_ model: any Layer, _ optimizer: any Optimizer) {
    self.model = model
    self.optimizer = optimizer
    forward = { TrainingLogits(logits: model($0)) }
    predict = { model($0) }
  }

  public var network: any Module { model }

  public func learn(from batch: Batch) throws -> Evaluation {
    let varied = Batch(
      inputs: augment?(batch.inputs) ?? batch.inputs, labels: batch.labels, examples: batch.examples)
    let targets = mixing.map { $0(varied) } ?? MixedBatch(unmixed: varied)
    var result: Evaluation?
    let value = try step {
      var accumulated = GradientAccumulation()
      var sum = Evaluation.none
      for rows in batch.parts(of: microBatch) {
        let part = rows.count == batch.count ? targets : targets.rows(rows)
        var hits: Float = 0
        let (value, gradients) = try valueAndGradient(of: model) { () -> Tensor in
          let output = forward(part.inputs)
          try batch.requireLabels(below: output.logits.shape.last ?? 0)
          hits = part.hits(output.logits.detached)
          return output.auxiliary.reduce(part.loss(output.logits, by: loss)) { sum, auxiliary in
            sum + part.loss(auxiliary.logits, by: loss) * auxiliary.lossWeight
          }
        }
        sum = sum.joined(with: Evaluation(loss: value.item(), hits: hits, of: rows.count))
        accumulated.add(gradients, weight: Float(rows.count))
      }
      // An optimiser that looks at several places begins at the first.
      result = result ?? sum
      return (Tensor(sum.loss), accumulated.takeMean())
    }
    return Evaluation(loss: value.item(), count: batch.count, metrics: result?.metrics ?? [:])
  }

  public func evaluation(of batch: Batch) throws -> Evaluation {
    let logits = predict(batch.inputs)
    try batch.requireLabels(below: logits.shape.last ?? 0)
    return Evaluation(
      loss: loss(logits, batch.labels).item(), hits: Float(logits.hits(batch.labels)), of: batch.count)
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
  fileprivate init(loss: Float, hits: Float, of count: Int) {
    self.init(loss: loss, count: count, metrics: [Self.accuracy: hits / Float(max(count, 1))])
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
        loss: loss(logits, batch.labels).item(), hits: Float(logits.hits(batch.labels)), of: batch.count))
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
