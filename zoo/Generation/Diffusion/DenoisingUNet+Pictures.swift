import AviaryLayers
import AviaryTensors
import AviaryWeights

extension DenoisingUNet: GenerativeNetwork {
  /// The largest picture that is made, 2048×2048: what a file says of its size takes no machine's memory.
  private static let mostPixels = 1 << 22

  func pictureMaker(
    _ metadata: PortableMetadata, named name: String
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker {
    let schedule = try Schedule(metadata.taskSettings)
    return try pictureMaker(schedule.configuration, schedule.sampling, named: name)
  }

  fileprivate func pictureMaker(
    _ scheduler: SchedulerConfiguration, _ sampling: Sampling, named name: String
  ) throws(UnsuitableGenerator) -> @Sendable (SharedNetwork) -> any PictureMaker {
    let channels = configuration.inChannels
    guard [1, 3].contains(channels) else {
      throw UnsuitableGenerator(
        model: name, reason: "makes samples of \(channels) channels, but pictures have 1 or 3")
    }
    let outputs = scheduler.variance == .learnedRange ? 2 * channels : channels
    guard configuration.outChannels == outputs else {
      throw UnsuitableGenerator(
        model: name,
        reason:
          "has \(configuration.outChannels) channels of output, but the scheduler's variance \(scheduler.variance.rawValue) needs \(outputs) for samples of \(channels)"
      )
    }
    guard let size = configuration.sampleSize else {
      throw UnsuitableGenerator(
        model: name, reason: "does not say the size of its samples: give one as the setting sample_size")
    }
    let (height, width) = (size[0], size[1])
    guard height * width <= Self.mostPixels, height % granularity == 0, width % granularity == 0 else {
      throw UnsuitableGenerator(
        model: name,
        reason:
          "has the sample_size \(height)×\(width), but height and width are multiples of \(granularity) and pixels \(Self.mostPixels) at most"
      )
    }
    return {
      DenoisedPictures(
        latentShape: [channels, height, width], configuration: scheduler, network: $0, usual: sampling)
    }
  }

  /// The schedule of google/ddpm-cifar10-32, as its `scheduler_config.json` says it.
  static let publishedSchedule: JSONValue = .object([
    "_class_name": .string("DDPMScheduler"), "num_train_timesteps": .integer(1000),
    "beta_schedule": .string("linear"), "beta_start": .number(1e-4), "beta_end": .number(0.02),
    "variance_type": .string("fixed_large"), "clip_sample": .bool(true),
  ])

  /// diffusers writes the schedule into a file of its own, beside the weights or, in a pipeline's folder, beside the network's.
  static let scheduleFile = CompanionFile(
    places: ["scheduler_config.json", "../scheduler/scheduler_config.json"],
    missing: { _ in
      "no scheduler_config.json beside the weights or in ../scheduler: the noise schedule of google/ddpm-cifar10-32 is taken"
    },
    read: { path, metadata in
      let entries = try ConfigurationFile(path).settings { entries in
        // Read for its errors, which name the file then.
        _ = try JSONValue.object(entries).decoded(as: SchedulerConfiguration.self)
        return entries
      }
      metadata.taskSettings = (metadata.taskSettings ?? [:]).merging([schedulerKey: .object(entries)]) { $1 }
    })

  /// What the settings of the task call the schedule.
  static let schedulerKey = "scheduler"
}

extension Generator {
  /// A denoising network of one's own, whose configuration says the size of its samples.
  ///
  /// - Parameters:
  ///   - scheduler: the noise that it was trained with.
  ///   - sampling: what is done where nothing else is asked for.
  /// - Throws: ``UnsuitableGenerator`` when its samples are no pictures, or its output is not the scheduler's.
  public init(
    _ network: sending DenoisingUNet, scheduler: SchedulerConfiguration, sampling: Sampling = .ddpm(),
    execution: Execution = .compiled()
  ) throws(UnsuitableGenerator) {
    let name = "the network"
    let pictureMaker = try network.pictureMaker(scheduler, sampling, named: name)
    self.init(named: name, pictureMaker(SharedNetwork(network, execution: execution)))
  }
}

/// What the settings of a task say of diffusion.
private struct Schedule {
  /// The noise of training, diffusers' defaults where nothing is said.
  let configuration: SchedulerConfiguration
  /// As the pipeline of the scheduler that wrote the settings samples.
  let sampling: Sampling

  /// Throws ``ConfigurationError`` for what is no scheduler's configuration.
  init(_ settings: Settings?) throws {
    let value = settings?[DenoisingUNet.schedulerKey] ?? .object([:])
    guard case .object(let entries) = value else {
      throw ConfigurationError(
        entry: DenoisingUNet.schedulerKey, given: value.shortText,
        expected: "an object of the entries of scheduler_config.json")
    }
    configuration = try value.decoded(as: SchedulerConfiguration.self)
    sampling =
      entries["_class_name"] == .string("DDIMScheduler")
      ? .ddim(steps: min(50, configuration.schedule.steps)) : .ddpm()
  }
}

/// Pictures by removing noise from noise, step by step. Samples are from −1 to 1.
struct DenoisedPictures: PictureMaker {
  let latentShape: Shape
  let configuration: SchedulerConfiguration
  let network: SharedNetwork
  /// How pictures are made where nothing else is asked for.
  let usual: Sampling

  var sampling: Sampling? { usual }
  var pictureShape: Shape { latentShape }
  var range: ClosedRange<Float> { -1...1 }

  func copy() -> DenoisedPictures {
    DenoisedPictures(
      latentShape: latentShape, configuration: configuration, network: network.copy(), usual: usual)
  }

  func stepCount(_ sampling: Sampling?) throws -> Int { try sampler(sampling).timesteps.count }

  private func sampler(_ sampling: Sampling?) throws(ConfigurationError) -> Sampler {
    try Sampler(sampling ?? usual, configuration)
  }

  func samples(
    of latents: Tensor, _ sampling: Sampling?, noise: (_ step: Int) -> Tensor, step: () throws -> Void
  ) throws -> Tensor {
    let sampler = try sampler(sampling)
    var sample = latents
    for (place, timestep) in sampler.timesteps.enumerated() {
      let timesteps = Tensor(repeating: Int64(timestep), shape: [latents.shape[0]])
      let output = network(["sample": sample, "timesteps": timesteps])["noise"]
      // Cutting the picture off to its range makes numbers of what are none.
      try output.requireNumbers(of: "the step \(timestep)")
      sample = sampler.step(
        output, at: place, sample: sample, noise: sampler.addsNoise(at: place) ? noise(place) : nil)
      try step()
    }
    return sample
  }
}
