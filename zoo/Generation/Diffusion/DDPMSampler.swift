import AviaryTensors
import Foundation

/// Ancestral sampling (Ho, Jain & Abbeel 2020, arXiv:2006.11239, algorithm 2), step by step as diffusers' `DDPMScheduler`.
public struct DDPMSampler: Sendable {
  /// The schedule of training and how the network's output is read.
  public let configuration: SchedulerConfiguration
  /// The steps of training that are taken, the noisiest first.
  public let timesteps: [Int]

  /// - Parameter steps: how many, all by default. Throws ``ConfigurationError`` when training had fewer.
  public init(
    _ configuration: SchedulerConfiguration = .init(), steps: Int? = nil
  ) throws(ConfigurationError) {
    self.configuration = configuration
    timesteps = try configuration.timesteps(steps ?? configuration.schedule.steps)
  }

  /// ᾱ that the step at a place leads to.
  func nextAlpha(at place: Int) -> Float {
    place + 1 < timesteps.count ? configuration.schedule.cumulativeAlphas[timesteps[place + 1]] : 1
  }

  /// A sample of the step after.
  ///
  /// - Parameters:
  ///   - output: what the network made of `sample`, N×C×H×W; N×2C×H×W where it learned the variance.
  ///   - place: of the step in ``timesteps``.
  ///   - sample: N×C×H×W.
  ///   - noise: of the standard normal distribution, the sample's shape; not used in the step 0 of training.
  /// - Returns: the next sample, and the picture that the network sees.
  public func step(
    _ output: Tensor, at place: Int, sample: Tensor, noise: Tensor
  ) -> (sample: Tensor, picture: Tensor) {
    require(timesteps.indices.contains(place), "step \(place) of \(timesteps.count)")
    let timestep = timesteps[place]
    let alpha = configuration.schedule.cumulativeAlphas[timestep]
    let nextAlpha = nextAlpha(at: place)
    // Several steps of training in one.
    let stepAlpha = alpha / nextAlpha
    let stepBeta = 1 - stepAlpha

    let isLearned = configuration.variance.isLearned
    require(
      output.shape[1] == sample.shape[1] * (isLearned ? 2 : 1) && noise.shape == sample.shape,
      "an output of \(output.shape.shapeText) and noise \(noise.shape.shapeText) for \(sample.shape.shapeText)"
    )
    let parts = output.split(1, into: isLearned ? 2 : 1)
    var (picture, _) = configuration.prediction.resolved(parts[0], sample: sample, alpha: alpha)
    picture = configuration.limit(picture)
    // Equation 7.
    let mean =
      picture * (nextAlpha.squareRoot() * stepBeta / (1 - alpha))
      + sample * (stepAlpha.squareRoot() * (1 - nextAlpha) / (1 - alpha))
    guard timestep > 0 else { return (mean, picture) }

    // Its logarithm is needed: it must not be 0.
    let small = max((1 - nextAlpha) / (1 - alpha) * stepBeta, 1e-20)
    switch configuration.variance {
    case .fixedSmall, .fixedSmallLogarithm: return (mean + noise * small.squareRoot(), picture)
    case .fixedLarge, .fixedLargeLogarithm: return (mean + noise * stepBeta.squareRoot(), picture)
    case .learned: return (mean + noise * parts[1].squareRoot(), picture)
    case .learnedRange:
      let share = (parts[1] + 1) * 0.5
      let logarithm = share * logf(stepBeta) + (1 - share) * logf(small)
      return (mean + (logarithm * 0.5).exp() * noise, picture)
    }
  }
}
