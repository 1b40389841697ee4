import AviaryLayers
import AviaryTensors
import AviaryTraining

/// A generator and a discriminator that learn against each other (Goodfellow et al. 2014, "Generative Adversarial Networks"), a step of each
/// for a batch of pictures with values from 0 to 1.
///
/// Real and made pictures are judged apart from each other: batch normalization tells nothing of the one to the other.
public final class AdversarialLearner: Learner {
  public typealias Batch = AviaryTraining.Batch

  /// What the two want.
  public enum Objective: Sendable, Hashable, Codable {
    /// The discriminator tells real from made, real ones being `realTarget` likely to be real; the generator raises the logarithm of how likely
    /// its own are (Goodfellow et al. 2014, section 3; Salimans et al. 2016, section 3.4, for targets below 1).
    case nonSaturating(realTarget: Float = 0.9)
    /// The critic's scores are apart by the distance of the two distributions, its slope being held at 1 by `penalty` times (‖∇D‖ − 1)²; it
    /// takes `criticSteps` steps for one of the generator's (Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", algorithm 1).
    case wasserstein(penalty: Float = 10, criticSteps: Int = 5)
  }

  /// Makes pictures.
  public let generator: DCGANGenerator
  /// Judges them.
  public let discriminator: DCGANDiscriminator
  /// What the two want.
  public let objective: Objective
  /// Of the generator, then of the discriminator.
  public let optimizers: [any Optimizer]
  /// Averages of the generator's weights, which are judged and saved in their place; nil for none.
  public var average: ExponentialMovingAverage?
  /// What the last steps say of how the two get on.
  public private(set) var watch = CollapseWatch()
  private var criticStepsSince = 0

  /// Networks for pictures of one size and the same classes; a critic of Wasserstein's distance has no normalization.
  public init(
    _ generator: DCGANGenerator, _ discriminator: DCGANDiscriminator, objective: Objective,
    optimizers: (generator: any Optimizer, discriminator: any Optimizer)
  ) {
    let (one, other) = (generator.configuration, discriminator.configuration)
    require(
      one.imageSize == other.imageSize && one.channels == other.channels && one.classes == other.classes,
      "a generator and a discriminator of different pictures")
    if case .wasserstein = objective {
      require(
        !other.isNormalized,
        "a critic that normalizes batches, whose gradients would not be each picture's own")
    }
    self.generator = generator
    self.discriminator = discriminator
    self.objective = objective
    self.optimizers = [optimizers.generator, optimizers.discriminator]
  }

  public var modules: [any Module] { [generator, discriminator] }

  public func learn(from batch: Batch) throws -> Evaluation {
    let real = batch.inputs.affine(scale: 2, shift: -1)
    let labels = try self.labels(batch)
    let made = generator.pictures(of: noise(batch.count), labels)
    let judgement =
      switch objective {
      case .nonSaturating(let target): discriminatorStep(real, made, labels, realTarget: target)
      case .wasserstein(let penalty, _): criticStep(real, made, labels, penalty: penalty)
      }
    guard judgement.loss.isFinite else { return Evaluation(loss: judgement.loss, count: batch.count) }
    criticStepsSince += 1
    var generatorLoss = watch.generatorLoss
    if case .wasserstein(_, let steps) = objective, criticStepsSince < steps {
      // The critic is ahead of the generator by some steps.
    } else {
      criticStepsSince = 0
      generatorLoss = generatorStep(batch.count, labels)
      if generatorLoss.isFinite { average?.update(generator) }
    }
    watch.add(
      discriminatorLoss: judgement.loss, generatorLoss: generatorLoss, made: made, real: real)
    return Evaluation(
      loss: generatorLoss, count: batch.count,
      metrics: [
        "discriminator": judgement.loss, "real": judgement.real, "made": judgement.made,
        "diversity": watch.diversity,
      ])
  }

  /// Real and made: the discriminator's mean scores, as probabilities where it has such.
  private typealias Judgement = (loss: Float, real: Float, made: Float)

  private func discriminatorStep(
    _ real: Tensor, _ made: Tensor, _ labels: Tensor?, realTarget: Float
  ) -> Judgement {
    var (scores, others) = (Tensor(Float(0)), Tensor(Float(0)))
    let (value, gradients) = valueAndGradient(of: discriminator) {
      scores = discriminator.logits(of: real, labels)
      others = discriminator.logits(of: made.detached, labels)
      return sigmoidCrossEntropy(scores, targets: Tensor(repeating: realTarget, shape: scores.shape))
        + sigmoidCrossEntropy(others, targets: .zeros(others.shape))
    }
    let loss = value.item()
    if loss.isFinite { optimizers[1].update(discriminator, gradients) }
    return (loss, scores.detached.sigmoid().mean().item(), others.detached.sigmoid().mean().item())
  }

  private func criticStep(_ real: Tensor, _ made: Tensor, _ labels: Tensor?, penalty: Float) -> Judgement {
    let shares = Tensor.uniform([real.shape[0], 1, 1, 1])
    let between = real * shares + made.detached * (1 - shares)
    let slope = discriminator.slope(at: between, labels)
    var (scores, others) = (Tensor(Float(0)), Tensor(Float(0)))
    let (value, gradients) = valueAndGradient(of: discriminator) {
      scores = discriminator.logits(of: real, labels).mean()
      others = discriminator.logits(of: made.detached, labels).mean()
      return others - scores + discriminator.slopePenalty(slope) * penalty
    }
    let (high, low) = (scores.detached.item(), others.detached.item())
    let loss = low - high + slope.penalty * penalty
    if value.item().isFinite, loss.isFinite { optimizers[1].update(discriminator, gradients) }
    return (loss, high, low)
  }

  private func generatorStep(_ count: Int, _ labels: Tensor?) -> Float {
    let z = noise(count)
    let (value, gradients) = valueAndGradient(of: generator) {
      let scores = discriminator.logits(of: generator.pictures(of: z, labels), labels)
      if case .wasserstein = objective { return -1 * scores.mean() }
      return sigmoidCrossEntropy(scores, targets: .ones(scores.shape))
    }
    let loss = value.item()
    if loss.isFinite { optimizers[0].update(generator, gradients) }
    return loss
  }

  private func noise(_ count: Int) -> Tensor { .normal([count, generator.configuration.noise, 1, 1]) }

  /// Throws `TrainingError` for a label that is no class of the networks.
  private func labels(_ batch: Batch) throws(TrainingError) -> Tensor? {
    let classes = generator.configuration.classes
    guard classes > 0 else { return nil }
    for (place, label) in batch.labels.values(of: Int64.self).enumerated()
    where !(0..<Int64(classes) ~= label) {
      throw .label(Int(label), example: batch.examples[place], classes: classes)
    }
    return batch.labels
  }

  /// What is wrong between the two, and what helps, in a sentence each.
  public var complaints: [String] {
    if case .nonSaturating = objective { watch.complaints() } else { watch.complaints(saturates: false) }
  }

  /// How well the discriminator tells made pictures, and how far apart these are: there is no loss that says how good the generator's are.
  public func evaluation(of batch: Batch) throws -> Evaluation {
    let real = batch.inputs.affine(scale: 2, shift: -1)
    let labels = try self.labels(batch)
    let made = generator.pictures(of: noise(batch.count), labels)
    let scores = discriminator.logits(of: made, labels)
    let loss =
      if case .wasserstein = objective { -1 * scores.mean() } else {
        sigmoidCrossEntropy(scores, targets: .ones(scores.shape))
      }
    return Evaluation(
      loss: loss.item(), count: batch.count,
      metrics: ["diversity": CollapseWatch.diversity(of: made, beside: real)])
  }

  /// The later the better: no number says so.
  public func isBetter(_ one: Evaluation, than other: Evaluation) -> Bool { true }

  public func withWeightsForUse<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let average else { return try body() }
    return try average.withAverages(in: generator, body)
  }

  public func savedStates() -> [String: SavedState] {
    var states = [
      "generator_optimizer": optimizers[0].state(of: generator),
      "discriminator_optimizer": optimizers[1].state(of: discriminator),
      "course": SavedState(numbers: watch.numbers.merging(["critic_steps": Double(criticStepsSince)]) { $1 }),
    ]
    states["average"] = average?.state(of: generator)
    return states
  }

  public func restore(_ states: [String: SavedState]) throws(SavedStateError) {
    guard let one = states["generator_optimizer"] else { throw .missing("generator_optimizer") }
    guard let other = states["discriminator_optimizer"] else { throw .missing("discriminator_optimizer") }
    guard let course = states["course"]?.numbers, let steps = course["critic_steps"],
      let watch = CollapseWatch(course), let steps = Int(exactly: steps)
    else { throw .missing("course") }
    guard (average == nil) == (states["average"] == nil) else {
      throw average == nil ? .unexpected("average") : .missing("average")
    }
    try optimizers[0].restore(one, of: generator)
    try optimizers[1].restore(other, of: discriminator)
    if let state = states["average"] { try average?.restore(state, of: generator) }
    (self.watch, criticStepsSince) = (watch, steps)
  }
}
