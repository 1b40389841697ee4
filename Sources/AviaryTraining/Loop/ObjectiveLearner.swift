import AviaryLayers
import AviaryTensors

/// What an objective says of a batch.
public struct ObjectiveValue {
  /// A single number, the mean over the batch's examples: what is made small.
  public let loss: Tensor
  /// Examples in the batch.
  public let count: Int
  /// Other means over the examples, for people.
  public let metrics: [String: Float]

  /// The loss, a tensor of one element, over `count` examples.
  public init(loss: Tensor, count: Int, metrics: [String: Float] = [:]) {
    self.loss = loss
    self.count = count
    self.metrics = metrics
  }
}

/// A network that learns whatever an objective asks of it, from batches of any kind:
///
///     let learner = ObjectiveLearner(network, Adam(learningRate: 1e-3)) { (batch: SegmentationBatch) in
///       let logits = network(["image": batch.inputs])["logits"]
///       return ObjectiveValue(loss: softmaxCrossEntropy(logits, labels: batch.labels), count: batch.examples.count)
///     }
///     try Trainer(learner).fit(data, epochs: 10)
public final class ObjectiveLearner<Batch: Sendable>: SingleNetworkLearner {
  public let network: any Module
  public let optimizer: any Optimizer
  public var gradientNormLimit: Float?
  public var average: ExponentialMovingAverage?
  /// The metric by which one epoch is better than another, and whether more of it is; nil for the lower loss.
  public var judgedBy: (metric: String, isMoreBetter: Bool)?
  /// Takes what the objective gathered in evaluation mode since it was last taken, as numbers that are no means over batches: average precision,
  /// say. They join the metrics of an evaluation over data. Nil for none.
  public var takeGathered: (() -> [String: Float])?
  /// Runs the network, in training mode and in evaluation mode alike.
  private let objective: (Batch) throws -> ObjectiveValue

  /// - Parameter objective: runs the network on a batch; called within a gradient while training, and without one in evaluation mode.
  public init(
    _ network: any Module, _ optimizer: any Optimizer,
    objective: @escaping (_ batch: Batch) throws -> ObjectiveValue
  ) {
    self.network = network
    self.optimizer = optimizer
    self.objective = objective
  }

  public func learn(from batch: Batch) throws -> Evaluation {
    // Those at the point where the step began, should the optimiser look at others.
    var first: ObjectiveValue?
    let loss = try step {
      try valueAndGradient(of: network) {
        let value = try objective(batch)
        first = first ?? value
        return value.loss
      }
    }
    return Evaluation(loss: loss.item(), count: first?.count ?? 0, metrics: first?.metrics ?? [:])
  }

  public func evaluation(of batch: Batch) throws -> Evaluation {
    let value = try objective(batch)
    return Evaluation(loss: value.loss.item(), count: value.count, metrics: value.metrics)
  }

  public func evaluation(on data: some TrainingData<Batch>, batchSize: Int) throws -> Evaluation {
    // What single batches left behind belongs to no data.
    _ = takeGathered?()
    var result = try meanEvaluation(on: data, batchSize: batchSize)
    if let takeGathered { result.metrics.merge(takeGathered()) { $1 } }
    return result
  }

  public func isBetter(_ one: Evaluation, than other: Evaluation) -> Bool {
    guard let (metric, isMoreBetter) = judgedBy, let a = one.metrics[metric], let b = other.metrics[metric],
      a != b
    else { return one.loss < other.loss }
    return (a > b) == isMoreBetter
  }
}
