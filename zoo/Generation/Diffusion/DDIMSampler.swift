import AviaryTensors

/// Sampling in few steps (Song, Meng & Ermon 2021, "Denoising Diffusion Implicit Models", arXiv:2010.02502, equations 12 and 16), step by
/// step as diffusers' `DDIMScheduler`.
public struct DDIMSampler: Sendable {
  /// The schedule of training and how the network's output is read.
  public let configuration: SchedulerConfiguration
  /// The steps of training that are taken, the noisiest first.
  public let timesteps: [Int]
  /// How much noise a step adds: 0 none, 1 as much as DDPM.
  public let eta: Float
  /// The noise is worked out anew from the picture after it was cut off; else the network's own is kept, which no longer fits.
  public let correctsNoise: Bool

  /// Throws ``ConfigurationError`` when training had fewer steps, or `eta` is not from 0 to 1.
  public init(
    _ configuration: SchedulerConfiguration = .init(), steps: Int, eta: Float = 0,
    correctsNoise: Bool = false
  ) throws(ConfigurationError) {
    guard (0...1).contains(eta) else {
      throw ConfigurationError(entry: "eta", given: "\(eta)", expected: "a number from 0 to 1")
    }
    self.configuration = configuration
    self.eta = eta
    self.correctsNoise = correctsNoise
    timesteps = try configuration.timesteps(steps)
  }

  /// A sample of the step after.
  ///
  /// - Parameters:
  ///   - output: what the network made of `sample`, N×C×H×W.
  ///   - place: of the step in ``timesteps``.
  ///   - sample: N×C×H×W.
  ///   - noise: of the standard normal distribution, the sample's shape; needed where ``eta`` is not 0.
  /// - Returns: the next sample, and the picture that the network sees.
  public func step(
    _ output: Tensor, at place: Int, sample: Tensor, noise: Tensor? = nil
  ) -> (sample: Tensor, picture: Tensor) {
    require(timesteps.indices.contains(place), "step \(place) of \(timesteps.count)")
    require(
      output.shape == sample.shape,
      "an output of \(output.shape.shapeText) for a sample of \(sample.shape.shapeText)")
    let schedule = configuration.schedule
    let timestep = timesteps[place]
    let alpha = schedule.cumulativeAlphas[timestep]
    let nextAlpha = nextAlpha(at: place)

    var (picture, direction) = configuration.prediction.resolved(output, sample: sample, alpha: alpha)
    picture = configuration.limit(picture)
    if correctsNoise { direction = (sample - picture * alpha.squareRoot()) / (1 - alpha).squareRoot() }
    // Equation 16.
    let variance = (1 - nextAlpha) / (1 - alpha) * (1 - alpha / nextAlpha)
    let deviation = eta * variance.squareRoot()
    // Equation 12.
    let next =
      picture * nextAlpha.squareRoot()
      + direction * (1 - nextAlpha - deviation * deviation).squareRoot()
    guard eta > 0 else { return (next, picture) }
    guard let noise, noise.shape == sample.shape else {
      requirementFailure("a step with η = \(eta) adds noise of the shape \(sample.shape.shapeText)")
    }
    return (next + noise * deviation, picture)
  }

  /// ᾱ that a step leads to: ⌊T/N⌋ steps of training earlier, whatever the spacing, which is not always the next of ``timesteps``.
  func nextAlpha(at place: Int) -> Float {
    let alphas = configuration.schedule.cumulativeAlphas
    let next = timesteps[place] - alphas.count / timesteps.count
    if next >= 0 { return alphas[next] }
    return configuration.setsAlphaToOne ? 1 : alphas[0]
  }

  /// A step in the other direction, from the picture towards noise, which without noise and limits leads back to where
  /// ``step(_:at:sample:noise:)`` came from (Song, Meng & Ermon 2021, section 4.3), as diffusers' `DDIMInverseScheduler`.
  ///
  /// - Parameters:
  ///   - output: what the network made of `sample` at the step's own time, N×C×H×W.
  ///   - place: of the step in ``timesteps``; they are gone through from the last to the first.
  ///   - sample: what the step led to, N×C×H×W.
  /// - Returns: what it came from.
  public func inverseStep(_ output: Tensor, at place: Int, sample: Tensor) -> Tensor {
    require(timesteps.indices.contains(place), "step \(place) of \(timesteps.count)")
    let (picture, direction) = configuration.prediction.resolved(
      output, sample: sample, alpha: nextAlpha(at: place))
    let alpha = configuration.schedule.cumulativeAlphas[timesteps[place]]
    return picture * alpha.squareRoot() + direction * (1 - alpha).squareRoot()
  }
}
