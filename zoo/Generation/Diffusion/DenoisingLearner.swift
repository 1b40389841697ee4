import AviaryLayers
import AviaryTensors
import AviaryTraining

/// A network that learns to find the noise in pictures (Ho, Jain & Abbeel 2020, algorithm 1), with classes where it knows some.
///
/// Pictures of a batch have values from 0 to 1, and are spread to −1…1.
public final class DenoisingLearner: SingleNetworkLearner {
  public typealias Batch = AviaryTraining.Batch

  /// The network that learns.
  public let model: DenoisingUNet
  /// What changes its weights.
  public let optimizer: any Optimizer
  /// What it will be sampled with: the noise of each step, and what the network's output is.
  public let scheduler: SchedulerConfiguration
  /// The class that takes the place of a picture's own in a share of cases, for guidance; nil for never.
  public var nullClass: Int?
  /// How often it does.
  public var nullShare: Float = 0.1
  /// Gradients longer than this are scaled down.
  public var gradientNormLimit: Float?
  /// Averages of the weights, which are judged and saved in their place; nil for none.
  public var average: ExponentialMovingAverage?

  /// A learner for a scheduler whose variance is not learned.
  public init(_ network: DenoisingUNet, _ optimizer: any Optimizer, scheduler: SchedulerConfiguration) {
    require(!scheduler.variance.isLearned, "training of the variance \(scheduler.variance.rawValue)")
    model = network
    self.optimizer = optimizer
    self.scheduler = scheduler
  }

  public var network: any Module { model }

  public func learn(from batch: Batch) throws -> Evaluation {
    let loss = try step { try valueAndGradient(of: model) { try self.loss(batch, drawsClasses: true) } }
    return Evaluation(loss: loss.item(), count: batch.count)
  }

  /// With time steps and noise that depend on the batch's examples alone, so that epochs can be compared.
  public func evaluation(of batch: Batch) throws -> Evaluation {
    let seed = batch.examples.reduce(UInt64(batch.count)) { $0 &* 31 &+ UInt64($1) }
    let value: Tensor = try withRandomSeed(seed) { try loss(batch, drawsClasses: false) }
    return Evaluation(loss: value.item(), count: batch.count)
  }

  /// The mean squared error of what the network predicts, at one step for each picture.
  ///
  /// - Parameter drawsClasses: whether the null class takes the place of some.
  private func loss(_ batch: Batch, drawsClasses: Bool) throws -> Tensor {
    let (schedule, draws) = (scheduler.schedule, RandomGenerator.current)
    let pictures = batch.inputs.affine(scale: 2, shift: -1)
    let timesteps = (0..<batch.count).map { _ in draws.integer(in: 0..<schedule.steps) }
    let noise = Tensor.normal(pictures.shape, using: draws)
    let noised = schedule.noised(pictures, noise, timesteps: timesteps)
    let target: Tensor
    switch scheduler.prediction {
    case .noise: target = noise
    case .sample: target = pictures
    case .velocity: target = schedule.velocity(pictures, noise, timesteps: timesteps)
    }
    let output = model.noise(
      in: noised, at: Tensor(timesteps.map(Int64.init)), of: try classes(batch, drawsClasses, draws))
    return meanSquaredError(output, target)
  }

  /// Throws `TrainingError` for a label that is no class of the network's pictures.
  private func classes(_ batch: Batch, _ drawsClasses: Bool, _ draws: RandomGenerator) throws -> Tensor? {
    guard let count = model.configuration.classCount else { return nil }
    let pictureClasses = nullClass ?? count
    let labels = try batch.labels.values(of: Int64.self).enumerated().map { place, label in
      guard 0..<Int64(pictureClasses) ~= label else {
        throw TrainingError.label(Int(label), example: batch.examples[place], classes: pictureClasses)
      }
      guard drawsClasses, let nullClass, draws.chance(nullShare) else { return label }
      return Int64(nullClass)
    }
    return Tensor(labels)
  }
}

extension NoiseSchedule {
  /// v = √ᾱ ε − √(1−ᾱ) x₀ for pictures N×… and their noise at one step each (Salimans & Ho 2022, appendix D).
  public func velocity(_ pictures: Tensor, _ noise: Tensor, timesteps: [Int]) -> Tensor {
    noised(noise, -1 * pictures, timesteps: timesteps)
  }
}
