import AviaryLayers
import AviaryTensors
import AviaryWeights

extension DenoisingUNet: GenerativeNetwork {
  /// The largest picture that is made, 2048×2048: what a file says of its size takes no machine's memory.
  private static let mostPixels = 1 << 22

  func pictureMaker(
    _ metadata: PortableMetadata, named name: String
  ) throws -> @Sendable (SharedNetwork) -> any PictureMaker {
    let schedule = try DiffusionSettings(metadata.taskSettings)
    return try pictureMaker(
      schedule.scheduler, schedule.sampling, schedule.nullClass, schedule.guidance, named: name)
  }

  fileprivate func pictureMaker(
    _ scheduler: SchedulerConfiguration, _ sampling: Sampling, _ nullClass: Int?, _ guidance: Float,
    named name: String
  ) throws(UnsuitableGenerator) -> @Sendable (SharedNetwork) -> any PictureMaker {
    let channels = configuration.inChannels
    guard [1, 3].contains(channels) else {
      throw UnsuitableGenerator(
        model: name, reason: "makes samples of \(channels) channels, but pictures have 1 or 3")
    }
    let outputs = scheduler.variance.isLearned ? 2 * channels : channels
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
    let classes = try configuration.classCount.map { count throws(UnsuitableGenerator) in
      guard nullClass.map({ $0 == count - 1 }) ?? true, count > (nullClass == nil ? 0 : 1) else {
        throw UnsuitableGenerator(
          model: name,
          reason: "has \(count) classes: the null_class, for pictures of any, can be the last one alone")
      }
      return DenoisedPictures.Classes(
        count: nullClass ?? count, null: nullClass, guidedChannels: channels,
        guidance: nullClass == nil ? 1 : guidance)
    }
    let ports = DenoisedPictures.Ports(
      sample: "sample", timesteps: "timesteps", classes: classes == nil ? nil : "class_labels", noise: "noise"
    )
    return {
      DenoisedPictures(
        name: name, latentShape: [channels, height, width], configuration: scheduler, network: $0,
        ports: ports, classes: classes, usual: sampling)
    }
  }

  /// The schedule of google/ddpm-cifar10-32, as its `scheduler_config.json` says it.
  static let publishedSchedule: JSONValue = .object([
    "_class_name": .string("DDPMScheduler"), "num_train_timesteps": .integer(1000),
    "beta_schedule": .string("linear"), "beta_start": .number(1e-4), "beta_end": .number(0.02),
    "variance_type": .string("fixed_large"), "clip_sample": .bool(true),
  ])

  /// What the project's own digits are trained with.
  static let digitSchedule: JSONValue = .object([
    "_class_name": .string("DDPMScheduler"), "num_train_timesteps": .integer(1000),
    "beta_schedule": .string("squaredcos_cap_v2"), "variance_type": .string("fixed_small"),
    "prediction_type": .string("v_prediction"), "timestep_spacing": .string("trailing"),
    "clip_sample": .bool(true),
  ])

  /// Where the schedule of downloaded weights is.
  static let scheduleFile = DiffusionSettings.scheduleFile(
    missing:
      "no scheduler_config.json beside the weights or in ../scheduler: the noise schedule of google/ddpm-cifar10-32 is taken"
  )

  /// What the settings of the task call the schedule.
  static let schedulerKey = DiffusionSettings.schedulerKey
}

extension Generator {
  /// A denoising network of one's own, whose configuration says the size of its samples.
  ///
  /// - Parameters:
  ///   - scheduler: the noise that it was trained with.
  ///   - sampling: what is done where nothing else is asked for.
  ///   - nullClass: the class that stood for pictures of any while it was trained, its last one; nil where there was none.
  /// - Throws: ``UnsuitableGenerator`` when its samples are no pictures, or its output is not the scheduler's.
  public init(
    _ network: sending DenoisingUNet, scheduler: SchedulerConfiguration, sampling: Sampling = .ddpm(),
    nullClass: Int? = nil, execution: Execution = .compiled()
  ) throws(UnsuitableGenerator) {
    let name = "the network"
    let pictureMaker = try network.pictureMaker(scheduler, sampling, nullClass, 1, named: name)
    self.init(named: name, pictureMaker(SharedNetwork(network, execution: execution)))
  }
}
