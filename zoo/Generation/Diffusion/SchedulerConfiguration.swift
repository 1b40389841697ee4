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
  /// What is done to predicted pictures whose values leave the range of pictures.
  public var limit = Limit.clip(1)
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
    /// The same, worked out by its logarithm.
    case fixedSmallLogarithm = "fixed_small_log"
    /// β_t, right where pictures are themselves normal noise.
    case fixedLarge = "fixed_large"
    /// The same, worked out by its logarithm. diffusers 0.42 takes the root of that logarithm, which is no number.
    case fixedLargeLogarithm = "fixed_large_log"
    /// The second half of the network's channels, as diffusers reads it: the variance itself, which must not be negative.
    case learned
    /// Between the two, as the second half of the network's channels says (Nichol & Dhariwal 2021, equation 15).
    case learnedRange = "learned_range"

    /// Whether the network has channels for it.
    public var isLearned: Bool { self == .learned || self == .learnedRange }
  }

  /// What is done to a predicted picture.
  public enum Limit: Sendable, Hashable {
    /// It stays as it is.
    case none
    /// It is cut off at ± this.
    case clip(Float)
    /// It is cut off at ± a quantile of its own absolute values, at least 1 and at most `maximum`, and divided by that (Saharia et al. 2022,
    /// "Photorealistic Text-to-Image Diffusion Models with Deep Language Understanding", section 2.3).
    case threshold(ratio: Float, maximum: Float)
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
    var timesteps = spacing.timesteps(count, of: steps)
    if spacing == .leading {
      guard timesteps[0] + stepsOffset < steps else {
        throw ConfigurationError(
          entry: "steps_offset", given: "\(stepsOffset)",
          expected: "less than \(steps - timesteps[0]) with \(count) steps")
      }
      timesteps = timesteps.map { $0 + stepsOffset }
    }
    guard prediction != .noise || schedule.cumulativeAlphas[timesteps[0]] > 0 else {
      throw ConfigurationError(
        entry: "prediction_type", given: "\"epsilon\"",
        expected: "sample or v_prediction, since nothing of the picture is left in step \(timesteps[0])")
    }
    return timesteps
  }
}

extension SchedulerConfiguration.Limit {
  /// Pictures N×C×H×W within the limit.
  func callAsFunction(_ pictures: Tensor) -> Tensor {
    switch self {
    case .none: return pictures
    case .clip(let range): return pictures.clipped(-range, range)
    case .threshold(let ratio, let maximum):
      let rows = pictures.shape[0]
      let size = pictures.abs().reshaped([rows, -1]).sorted().values.values()
      let count = pictures.count / rows
      let bounds = (0..<rows).map { row in
        let quantile = Self.quantile(size[(row * count)..<((row + 1) * count)], ratio)
        return max(1, min(quantile, maximum))
      }
      let bound = Tensor(bounds, shape: [rows] + Shape(repeating: 1, count: pictures.rank - 1))
      return AviaryTensors.maximum(AviaryTensors.minimum(pictures, bound), 0 - bound) / bound
    }
  }

  /// Between the two nearest of `sorted`, as NumPy and PyTorch do.
  private static func quantile(_ sorted: ArraySlice<Float>, _ ratio: Float) -> Float {
    let place = Double(ratio) * Double(sorted.count - 1)
    let low = sorted[sorted.startIndex + Int(place)]
    let high = sorted[sorted.startIndex + min(Int(place) + 1, sorted.count - 1)]
    return low + (high - low) * Float(place - place.rounded(.down))
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
    case .sample: return (output, spread > 0 ? (sample - output * signal) / spread : .zeros(sample.shape))
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
    let endsInNoise = try entries.flag("rescale_betas_zero_snr", missing: false)
    schedule = NoiseSchedule(curve, steps: steps, Float(first)...Float(last), endsInNoise: endsInNoise)
    try entries.only("trained_betas", nil)
    spacing = try entries.choice("timestep_spacing", TimestepSpacing.self, missing: .leading)
    stepsOffset = try entries.integer("steps_offset", 0...ConfigurationEntries.largest, missing: 0)
    prediction = try entries.choice("prediction_type", Prediction.self, missing: .noise)
    let clips = try entries.flag("clip_sample", missing: true)
    let range = Float(try entries.number("clip_sample_range", 1e-6...1e6, missing: 1))
    let thresholds = try entries.flag("thresholding", missing: false)
    let ratio = Float(try entries.number("dynamic_thresholding_ratio", 0...1, missing: 0.995))
    let maximum = Float(try entries.number("sample_max_value", 1...1e6, missing: 1))
    limit = thresholds ? .threshold(ratio: ratio, maximum: maximum) : clips ? .clip(range) : .none
    variance = try entries.choice("variance_type", Variance.self, missing: .fixedSmall)
    setsAlphaToOne = try entries.flag("set_alpha_to_one", missing: true)
    // It is for the arrays of other frameworks.
    entries.ignore("tensor_format")
    try entries.finish()
  }
}
