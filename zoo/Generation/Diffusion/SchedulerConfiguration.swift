import AviaryTensors

/// What diffusers' `scheduler_config.json` says of sampling, with its defaults where the file says nothing.
public struct SchedulerConfiguration: Sendable, Hashable {
  /// The noise that the network was trained with.
  public var schedule = NoiseSchedule()
  /// Which steps of training are taken when sampling in fewer.
  public var spacing = TimestepSpacing.leading
  /// Added to leading time steps.
  public var stepsOffset = 0
  /// What the network's output is.
  public var prediction = Prediction.noise
  /// The predicted picture is cut off at ± this; nil where it is not.
  public var clipRange: Float? = 1
  /// Of the noise that DDPM adds in a step.
  public var variance = Variance.fixedSmall
  /// What DDIM takes for ᾱ before the first step: 1, or that of step 0.
  public var setsAlphaToOne = true

  /// What the network predicts.
  public enum Prediction: String, Sendable, Hashable, CaseIterable {
    /// ε.
    case noise = "epsilon"
    /// x₀, the picture itself.
    case sample
    /// v = √ᾱ ε − √(1−ᾱ) x₀ (Salimans & Ho 2022, appendix D).
    case velocity = "v_prediction"
  }

  /// The variance of the noise that a step of DDPM adds.
  public enum Variance: String, Sendable, Hashable, CaseIterable {
    /// β̃_t, right where the picture is known (Ho et al. 2020, section 3.2).
    case fixedSmall = "fixed_small"
    /// β_t, right where pictures are themselves normal noise.
    case fixedLarge = "fixed_large"
    /// Between the two, as the second half of the network's channels says (Nichol & Dhariwal 2021, equation 15).
    case learnedRange = "learned_range"
  }

  /// diffusers' defaults.
  public init() {}

  /// `count` steps of training, the noisiest first; throws ``ConfigurationError`` when there are not as many.
  func timesteps(_ count: Int) throws(ConfigurationError) -> [Int] {
    let steps = schedule.steps
    guard 0 < count && count <= steps else {
      throw ConfigurationError(
        entry: "the number of steps", given: "\(count)", expected: "a number from 1 to \(steps)")
    }
    let timesteps = spacing.timesteps(count, of: steps)
    guard spacing == .leading else { return timesteps }
    guard timesteps[0] + stepsOffset < steps else {
      throw ConfigurationError(
        entry: "steps_offset", given: "\(stepsOffset)",
        expected: "less than \(steps - timesteps[0]) with \(count) steps")
    }
    return timesteps.map { $0 + stepsOffset }
  }
}

extension SchedulerConfiguration.Prediction {
  /// The picture and the noise that the network sees in `sample`, ᾱ being `alpha`.
  func resolved(
    _ output: Tensor, sample: Tensor, alpha: Float
  ) -> (picture: Tensor, noise: Tensor) {
    let (signal, spread) = (alpha.squareRoot(), (1 - alpha).squareRoot())
    switch self {
    case .noise: return ((sample - output * spread) / signal, output)
    case .sample: return (output, (sample - output * signal) / spread)
    case .velocity:
      return (sample * signal - output * spread, output * signal + sample * spread)
    }
  }
}

extension SchedulerConfiguration: Decodable {
  /// Throws ``ConfigurationError`` naming an entry that is unknown or not supported. Files of DDPM and of DDIM are read for one another,
  /// as diffusers does.
  public init(from decoder: any Decoder) throws {
    self.init()
    var entries = try ConfigurationEntries(
      from: decoder, classNames: ["DDPMScheduler", "DDIMScheduler"])
    let steps = try entries.integer("num_train_timesteps", 2...ConfigurationEntries.largest, missing: 1000)
    let first = try entries.number("beta_start", 1e-9...0.999, missing: 1e-4)
    let last = try entries.number("beta_end", first...0.999, missing: 0.02)
    let curve = try entries.choice("beta_schedule", NoiseSchedule.Curve.self, missing: .linear)
    schedule = NoiseSchedule(curve, steps: steps, Float(first)...Float(last))
    try entries.only("trained_betas", nil)
    spacing = try entries.choice("timestep_spacing", TimestepSpacing.self, missing: .leading)
    stepsOffset = try entries.integer("steps_offset", 0...ConfigurationEntries.largest, missing: 0)
    prediction = try entries.choice("prediction_type", Prediction.self, missing: .noise)
    let clips = try entries.flag("clip_sample", missing: true)
    let range = Float(try entries.number("clip_sample_range", 1e-6...1e6, missing: 1))
    clipRange = clips ? range : nil
    variance = try entries.choice("variance_type", Variance.self, missing: .fixedSmall)
    setsAlphaToOne = try entries.flag("set_alpha_to_one", missing: true)
    try entries.refuse("thresholding")
    try entries.refuse("rescale_betas_zero_snr")
    // They are for thresholding alone, and for the arrays of other frameworks.
    entries.ignore("dynamic_thresholding_ratio")
    entries.ignore("sample_max_value")
    entries.ignore("tensor_format")
    try entries.finish()
  }
}
