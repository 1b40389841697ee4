import AviaryTensors
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Diffusion schedules against diffusers, step by step")
struct SchedulerTests {
  /// How a case of `scheduler_fixtures.py` was called.
  private struct Call: Decodable {
    let steps: Int
    let eta: Float
    let corrects: Bool
    let configuration: SchedulerConfiguration
  }

  static let cases = [
    "ddpm", "ddpm_large", "ddpm_learned", "ddpm_offset", "ddpm_one", "ddpm_log", "ddpm_direct", "ddpm_zero",
    "ddim_zero", "ddim_threshold", "ddim", "ddim_alpha", "ddim_trailing",
    "ddim_corrected", "ddim_sample",
  ]

  @Test("samples and predicted pictures after each step", arguments: cases)
  func steps(name: String) throws {
    let fixture = try denseFixture("schedulers")
    let call = try JSONDecoder().decode(
      Call.self, from: Data(try #require(fixture.metadata[name]).utf8))
    let samples = try #require(fixture["\(name).samples"])
    let pictures = try #require(fixture["\(name).pictures"])
    let ddpm = try DDPMSampler(call.configuration, steps: call.steps)
    let ddim = try DDIMSampler(
      call.configuration, steps: call.steps, eta: call.eta, correctsNoise: call.corrects)
    let timesteps = try #require(fixture["\(name).timesteps"]).values(of: Int64.self).map(Int.init)
    #expect(ddpm.timesteps == timesteps && ddim.timesteps == timesteps)

    let shape = samples[0].shape
    let channels = call.configuration.variance.isLearned ? 2 * shape[1] : shape[1]
    var sample = deterministicInput(shape, named: "sample")
    #expect(sample.values() == samples[0].values())
    for place in timesteps.indices {
      var output = deterministicInput([shape[0], channels] + shape[2...], named: "output \(place)")
      if call.configuration.variance == .learned {
        let parts = output.split(1, into: 2)
        output = concatenate([parts[0], parts[1].square()], axis: 1)
      }
      let noise = deterministicInput(shape, named: "noise \(place)")
      let next =
        name.hasPrefix("ddpm")
        ? ddpm.step(output, at: place, sample: sample, noise: noise)
        : ddim.step(output, at: place, sample: sample, noise: call.eta > 0 ? noise : nil)
      #expect(relativeDifference(next.sample, samples[place + 1]) < 1e-5, "step \(place)")
      #expect(relativeDifference(next.picture, pictures[place]) < 1e-5, "step \(place)")
      sample = next.sample
    }
  }

  @Test("the way back from a picture to its noise", arguments: ["inverse", "inverse_velocity"])
  func inverse(name: String) throws {
    let fixture = try denseFixture("schedulers")
    let call = try JSONDecoder().decode(
      Call.self, from: Data(try #require(fixture.metadata[name]).utf8))
    let samples = try #require(fixture["\(name).samples"])
    let sampler = try DDIMSampler(call.configuration, steps: call.steps)
    let timesteps = try #require(fixture["\(name).timesteps"]).values(of: Int64.self).map(Int.init)
    #expect(sampler.timesteps.reversed() == timesteps)
    let shape = samples[0].shape
    var sample = deterministicInput(shape, named: "sample")
    for index in timesteps.indices {
      let output = deterministicInput(shape, named: "output \(index)")
      let place = timesteps.count - 1 - index
      let before = sample
      sample = sampler.inverseStep(output, at: place, sample: sample)
      #expect(relativeDifference(sample, samples[index + 1]) < 1e-5, "step \(index)")
      guard call.configuration.prediction == .noise else { continue }
      // The same noise leads back again.
      let back = sampler.step(output, at: place, sample: sample).sample
      #expect(relativeDifference(back, before) < 1e-4, "step \(index)")
    }
  }

  @Test("the root of a negative logarithm is not taken: fixed_large_log is β_t")
  func logarithm() throws {
    var configuration = SchedulerConfiguration()
    let given = deterministicInput([2, 2, 2, 3], named: "sample")
    func next(_ variance: SchedulerConfiguration.Variance) throws -> [Float] {
      configuration.variance = variance
      let sampler = try DDPMSampler(configuration, steps: 10)
      return sampler.step(given, at: 3, sample: given, noise: given).sample.values()
    }
    #expect(try next(.fixedLargeLogarithm) == next(.fixedLarge))
    #expect(try next(.fixedSmall) != next(.fixedLarge))
  }

  @Test("ᾱ of each curve, and pictures with noise")
  func schedules() throws {
    let fixture = try denseFixture("schedulers")
    for curve in NoiseSchedule.Curve.allCases {
      let expected = try #require(fixture["\(curve.rawValue).alphas"])
      let alphas = Tensor(NoiseSchedule(curve).cumulativeAlphas)
      // PyTorch's own last bit of β depends on the width of its processor's vectors.
      #expect(relativeDifference(alphas, expected) < 2e-7)
      // The last ones are the smallest, and divided by.
      #expect(zip(alphas.values(), expected.values()).allSatisfy { abs($0 / $1 - 1) < 2e-6 })
    }
    let zero = NoiseSchedule(endsInNoise: true).cumulativeAlphas
    let expectedZero = try #require(fixture["zero.alphas"])
    #expect(relativeDifference(Tensor(zero), expectedZero) < 1e-6)
    #expect(zero.last == 0)
    let noised = try #require(fixture["noised"])
    let result = NoiseSchedule().noised(
      deterministicInput(noised.shape, named: "sample"), deterministicInput(noised.shape, named: "noise 0"),
      timesteps: [0, 700])
    #expect(relativeDifference(result, noised) < 1e-6)
  }

  @Test("more steps than training had are refused")
  func steps() throws {
    var configuration = SchedulerConfiguration()
    #expect(try DDPMSampler(configuration).timesteps.count == 1000)
    for steps in [-1, 0, 1001] {
      let error = #expect(throws: ConfigurationError.self) { try DDIMSampler(configuration, steps: steps) }
      #expect(error?.description == "the number of steps is \(steps), expected a number from 1 to 1000")
    }
    #expect(throws: ConfigurationError.self) { try DDIMSampler(configuration, steps: 5, eta: .nan) }
    configuration.stepsOffset = 1
    #expect(try DDIMSampler(configuration, steps: 999).timesteps.first == 999)
    let error = #expect(throws: ConfigurationError.self) { try DDPMSampler(configuration) }
    #expect(error?.description == "steps_offset is 1, expected less than 1 with 1000 steps")
    configuration.schedule = NoiseSchedule(endsInNoise: true)
    configuration.spacing = .trailing
    let impossible = #expect(throws: ConfigurationError.self) { try DDIMSampler(configuration, steps: 5) }
    #expect(impossible?.description.contains("nothing of the picture is left in step 999") == true)
  }

  @Test(
    "what is unknown or not supported is named",
    arguments: [
      (#"{"beta_schedule": "laplace"}"#, "beta_schedule is \"laplace\""),
      (#"{"variance_type": "fixed"}"#, "variance_type is \"fixed\""),
      (#"{"thresholding": 1}"#, "thresholding is 1, expected true or false"),
      (#"{"dynamic_thresholding_ratio": 2}"#, "dynamic_thresholding_ratio is 2"),
      (#"{"rescale_betas_zero_snr": "yes"}"#, "rescale_betas_zero_snr is \"yes\""),
      (#"{"trained_betas": [0.1]}"#, "trained_betas is [0.1]"),
      (#"{"beta_start": 0.5, "beta_end": 0.1}"#, "beta_end is 0.1"),
      (#"{"_class_name": "PNDMScheduler"}"#, "_class_name is \"PNDMScheduler\""),
      (#"{"skip_prk_steps": true}"#, "skip_prk_steps"),
    ])
  func refused(json: String, sentence: String) throws {
    let error = #expect(throws: ConfigurationError.self) {
      try JSONDecoder().decode(SchedulerConfiguration.self, from: Data(json.utf8))
    }
    #expect(try #require(error).description.contains(sentence), "\(String(describing: error))")
  }
}
