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
    "ddpm", "ddpm_large", "ddpm_learned", "ddpm_offset", "ddpm_one", "ddim", "ddim_alpha", "ddim_trailing",
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
    let channels = call.configuration.variance == .learnedRange ? 2 * shape[1] : shape[1]
    var sample = deterministicInput(shape, named: "sample")
    #expect(sample.values() == samples[0].values())
    for place in timesteps.indices {
      let output = deterministicInput([shape[0], channels] + shape[2...], named: "output \(place)")
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
  }

  @Test(
    "what is unknown or not supported is named",
    arguments: [
      (#"{"beta_schedule": "laplace"}"#, "beta_schedule is \"laplace\""),
      (#"{"variance_type": "fixed_small_log"}"#, "variance_type is \"fixed_small_log\""),
      (#"{"thresholding": true}"#, "thresholding is true, expected false"),
      (#"{"rescale_betas_zero_snr": true}"#, "rescale_betas_zero_snr is true"),
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
