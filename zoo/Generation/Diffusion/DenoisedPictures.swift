import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights

/// Pictures by removing noise from noise, step by step. Samples are from −1 to 1.
struct DenoisedPictures: PictureEncoder {
  /// What a network that predicts noise calls its tensors.
  struct Ports: Sendable {
    let sample: String
    let timesteps: String
    /// Nil where the network knows no classes.
    let classes: String?
    let noise: String
  }

  /// What a network knows of classes.
  struct Classes: Sendable {
    /// Those of pictures.
    let count: Int
    /// The one that stands for a picture of any class; nil where training had none.
    let null: Int?
    /// Channels of the output that guidance changes, the first ones.
    let guidedChannels: Int
    /// Where nothing else is asked for.
    let guidance: Float
  }

  /// What messages call the network.
  let name: String
  let latentShape: Shape
  let configuration: SchedulerConfiguration
  let network: SharedNetwork
  let ports: Ports
  /// Nil where the network knows none.
  let classes: Classes?
  /// How pictures are made where nothing else is asked for.
  let usual: Sampling

  var sampling: Sampling? { usual }
  var pictureShape: Shape { latentShape }
  var range: ClosedRange<Float> { -1...1 }
  var classCount: Int? { classes?.count }

  func copy() -> DenoisedPictures {
    DenoisedPictures(
      name: name, latentShape: latentShape, configuration: configuration, network: network.copy(),
      ports: ports, classes: classes, usual: usual)
  }

  func stepCount(_ sampling: Sampling?, _ conditions: Conditions) throws -> Int {
    if let guidance = conditions.guidance, guidance != 1, let classes, classes.null == nil {
      throw UnsuitableGenerator(
        model: name,
        reason: "has no class for pictures of any class (null_class), from which guidance leads away")
    }
    let steps = try sampler(sampling).timesteps.count
    return (steps - 1) * (conditions.known?.resamplings ?? 1) + 1
  }

  private func sampler(_ sampling: Sampling?) throws(ConfigurationError) -> Sampler {
    try Sampler(sampling ?? usual, configuration)
  }

  func samples(
    of latents: Tensor, _ sampling: Sampling?, _ conditions: BatchConditions,
    noise: (_ step: Int) -> Tensor, step: (_ samples: Tensor) throws -> Void
  ) throws -> Tensor {
    let sampler = try sampler(sampling)
    var sample = latents
    var runs = 0
    for (place, timestep) in sampler.timesteps.enumerated() {
      let isLast = place == sampler.timesteps.count - 1
      let repetitions = isLast ? 1 : conditions.known?.resamplings ?? 1
      let (from, to) = sampler.alphas(at: place)
      for repetition in 1...repetitions {
        let output = try output(for: sample, at: timestep, conditions)
        sample = sampler.step(
          output, at: place, sample: sample, noise: sampler.addsNoise(at: place) ? noise(runs) : nil)
        if let known = conditions.known {
          sample = known.restored(in: sample, alpha: to, noise: conditions.drawn())
        }
        if repetition < repetitions {
          // Back to where the step began, with noise of its own.
          let share = from / to
          sample = sample * share.squareRoot() + conditions.drawn() * (1 - share).squareRoot()
        }
        runs += 1
        try step(sample)
      }
    }
    return sample
  }

  /// What the network makes of samples N×C×H×W at one time step, led towards the classes.
  private func output(for sample: Tensor, at timestep: Int, _ conditions: BatchConditions) throws -> Tensor {
    let guidance = conditions.guidance ?? classes?.guidance ?? 1
    let count = sample.shape[0]
    func run(_ sample: Tensor, _ labels: [Int]) -> Tensor {
      var inputs: NamedTensors = [
        ports.sample: sample,
        ports.timesteps: Tensor(repeating: Int64(timestep), shape: [sample.shape[0]]),
      ]
      if let port = ports.classes { inputs[port] = Tensor(labels.map(Int64.init)) }
      return network(inputs)[ports.noise]
    }
    let labels = conditions.classes ?? []
    let output: Tensor
    if guidance != 1, let classes, let null = classes.null {
      let both = run(
        concatenate([sample, sample], axis: 0), labels + Array(repeating: null, count: count))
      let parts = both.split(0, into: 2)
      let guided = classes.guidedChannels
      let (wanted, any) = (parts[0].sliced(1, 0..<guided), parts[1].sliced(1, 0..<guided))
      let led = any + (wanted - any) * guidance
      let channels = parts[0].shape[1]
      output =
        guided == channels
        ? led : concatenate([led, parts[0].sliced(1, guided..<channels)], axis: 1)
    } else {
      output = run(sample, labels)
    }
    // Cutting the picture off to its range makes numbers of what are none.
    try output.requireNumbers(of: "the step \(timestep)")
    return output
  }
}

// MARK: From pictures back to noise

extension DenoisedPictures {
  func input(_ image: Image, named name: String) throws(UnsuitablePicture) -> Tensor {
    let (channels, height, width) = (latentShape[0], latentShape[1], latentShape[2])
    let preprocessing = Preprocessing(
      resize: .exact(width: width, height: height), channels: channels == 1 ? .grey : .rgb,
      mean: Array(repeating: 0.5, count: channels), std: Array(repeating: 0.5, count: channels))
    return try PictureInput(preprocessing).input(image, named: name)
  }

  func encodingSteps(_ sampling: Sampling?) throws -> Int { try reversible(sampling).timesteps.count }

  /// The sampler whose steps can be gone back.
  private func reversible(_ sampling: Sampling?) throws -> DDIMSampler {
    guard
      case .ddim(let sampler) = try sampler(sampling ?? .ddim(steps: min(50, configuration.schedule.steps))),
      sampler.eta == 0
    else {
      throw UnsuitableGenerator(
        model: name, reason: "finds the noise of a picture by ddim without noise (η = 0) alone")
    }
    return sampler
  }

  func latents(
    of samples: Tensor, _ sampling: Sampling?, _ conditions: BatchConditions, step: () throws -> Void
  ) throws -> Tensor {
    let sampler = try reversible(sampling)
    var sample = samples
    for (place, timestep) in sampler.timesteps.enumerated().reversed() {
      let output = try output(for: sample, at: timestep, conditions)
      let noise = output.sliced(1, 0..<latentShape[0])
      sample = sampler.inverseStep(noise, at: place, sample: sample)
      try step()
    }
    return sample
  }
}
