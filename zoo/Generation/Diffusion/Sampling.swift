import AviaryTensors

/// How a diffusion network turns noise into pictures.
public enum Sampling: Sendable, Hashable {
  /// Ancestral sampling (``DDPMSampler``).
  ///
  /// - Parameter steps: all of training where nil.
  case ddpm(steps: Int? = nil)
  /// In few steps (``DDIMSampler``).
  ///
  /// - Parameters:
  ///   - steps: of training that are taken.
  ///   - eta: how much noise a step adds, from 0 for none to 1 for as much as DDPM.
  case ddim(steps: Int = 50, eta: Float = 0)
}

/// Either of the samplers, at work.
enum Sampler: Sendable {
  case ddpm(DDPMSampler)
  case ddim(DDIMSampler)

  /// Throws ``ConfigurationError`` for steps that training did not have.
  init(_ sampling: Sampling, _ configuration: SchedulerConfiguration) throws(ConfigurationError) {
    switch sampling {
    case .ddpm(let steps): self = .ddpm(try DDPMSampler(configuration, steps: steps))
    case .ddim(let steps, let eta): self = .ddim(try DDIMSampler(configuration, steps: steps, eta: eta))
    }
  }

  /// The steps of training that are taken, the noisiest first.
  var timesteps: [Int] {
    switch self {
    case .ddpm(let sampler): sampler.timesteps
    case .ddim(let sampler): sampler.timesteps
    }
  }

  /// ᾱ of the sample that the step at a place begins with, and of the one that it leads to.
  func alphas(at place: Int) -> (from: Float, to: Float) {
    switch self {
    case .ddpm(let sampler):
      (sampler.configuration.schedule.cumulativeAlphas[timesteps[place]], sampler.nextAlpha(at: place))
    case .ddim(let sampler):
      (sampler.configuration.schedule.cumulativeAlphas[timesteps[place]], sampler.nextAlpha(at: place))
    }
  }

  /// Whether the step at a place adds noise.
  func addsNoise(at place: Int) -> Bool {
    switch self {
    case .ddpm(let sampler): sampler.timesteps[place] > 0
    case .ddim(let sampler): sampler.eta > 0
    }
  }

  /// The sample N×C×H×W after the step at a place, at which the network made `output` of `sample`.
  ///
  /// - Parameter noise: of the sample's shape, where the step adds some.
  func step(_ output: Tensor, at place: Int, sample: Tensor, noise: Tensor?) -> Tensor {
    switch self {
    case .ddpm(let sampler):
      return sampler.step(output, at: place, sample: sample, noise: noise ?? .zeros(sample.shape)).sample
    case .ddim(let sampler):
      // What was learned of the variance is DDPM's alone.
      let parts = output.split(1, into: sampler.configuration.variance.isLearned ? 2 : 1)
      return sampler.step(parts[0], at: place, sample: sample, noise: noise).sample
    }
  }
}
