import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// Networks of `tools/reference/sampling_fixtures.py`, from files as diffusers writes them.
struct SamplingFixture {
  /// How a case was called.
  struct Call: Decodable {
    let steps: Int
    let eta: Float?
    let network: AviaryWeights.JSONValue
    let scheduler: AviaryWeights.JSONValue
  }

  let golden: GoldenFile
  /// The weights of the pipeline's network.
  let pipeline: String

  init() throws {
    let fixtures = Bundle.module.url(forResource: "Fixtures/sampling", withExtension: nil)
    let folder = try #require(fixtures)
    golden = try GoldenFile(folder.appending(path: "sampling.safetensors"))
    pipeline = folder.appending(path: "pipeline/unet/diffusion_pytorch_model.safetensors").path
  }

  func call(_ name: String) throws -> Call {
    try JSONDecoder().decode(Call.self, from: Data(try #require(golden.metadata[name]).utf8))
  }

  func generator(_ settings: Settings = [:]) throws -> Generator {
    try Zoo.load(Generator.self, "ddpm_cifar10", weights: pipeline, settings: settings)
  }

  /// Files of one folder with a network whose weights are the deterministic ones.
  static func write(
    _ network: AviaryWeights.JSONValue, _ scheduler: AviaryWeights.JSONValue?, to folder: String
  ) throws -> String {
    let unet = DenoisingUNet(try network.decoded(as: DenoisingUNet.Configuration.self))
    unet.fillDeterministically()
    let weights = "\(folder)/diffusion_pytorch_model.safetensors"
    try WeightFile.write(try unet.archive(), to: weights, as: .safetensors)
    try JSONEncoder().encode(network).write(to: URL(filePath: "\(folder)/config.json"))
    if let scheduler {
      try JSONEncoder().encode(scheduler).write(to: URL(filePath: "\(folder)/scheduler_config.json"))
    }
    return weights
  }
}

/// A folder that is gone after `body`.
func withTemporaryFolder<Result>(_ body: (_ path: String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.path)
}

@Suite("Pictures of noise, from the first step to the last")
struct GeneratorTests {
  private func expectSamples(_ name: String, _ generator: Generator, _ fixture: SamplingFixture) throws {
    let call = try fixture.call(name)
    let expected = try #require(fixture.golden["\(name).samples"])
    let noise = (0..<call.steps).map { deterministicInput(expected.shape, named: "noise \($0)") }
    let sampling: Sampling = call.eta.map { .ddim(steps: call.steps, eta: $0) } ?? .ddpm(steps: call.steps)
    var (samples, counted): ([Tensor], Int) = ([], 0)
    try generator.forEachBatch(
      count: expected.shape[0], latents: deterministicInput(expected.shape, named: "sample"),
      stepNoise: stack(noise), sampling: sampling, batch: 2,
      progress: { done, total in
        counted += 1
        #expect(done == counted && total == 2 * call.steps)
      }, { samples.append($0) })
    #expect(counted == 2 * call.steps)
    #expect(relativeDifference(concatenate(samples, axis: 0), expected) < 1e-4)
  }

  @Test(
    "a pipeline's folder gives diffusers' samples, with its own scheduler and the other",
    arguments: ["ddpm", "ddim", "ddim_noisy"])
  func pipeline(name: String) throws {
    let fixture = try SamplingFixture()
    let generator = try fixture.generator()
    #expect(generator.latentShape == [3, 8, 12] && generator.range == -1...1)
    #expect(generator.sampling == .ddpm())
    #expect(try generator.stepCount() == 400)
    try expectSamples(name, generator, fixture)
  }

  @Test("files of one folder, with a learned variance, and the portable file of them")
  func folder() throws {
    let fixture = try SamplingFixture()
    let call = try fixture.call("ddpm_learned")
    try withTemporaryFolder { folder in
      let weights = try SamplingFixture.write(call.network, call.scheduler, to: folder)
      try expectSamples(
        "ddpm_learned", try Zoo.load(Generator.self, "ddpm_cifar10", weights: weights), fixture)
      let loaded = try Zoo.network("ddpm_cifar10", weights: weights)
      #expect(loaded.assumptions.isEmpty)
      #expect(loaded.metadata.taskSettings?["scheduler"] == call.scheduler)
      let portable = "\(folder)/elsewhere/portable.safetensors"
      try FileManager.default.createDirectory(
        atPath: "\(folder)/elsewhere", withIntermediateDirectories: true)
      try loaded.save(to: portable)
      try expectSamples(
        "ddpm_learned", try Zoo.load(Generator.self, "ddpm_cifar10", weights: portable), fixture)
      // DDIM has no use for what was learned of the variance.
      let ddim = try Zoo.load(Generator.self, "ddpm_cifar10", weights: portable)
      #expect(try ddim.generate(count: 1, sampling: .ddim(steps: 3)).count == 1)
    }
  }

  @Test("a network of one's own is one of the zoo's, without a file")
  func ownNetwork() throws {
    let fixture = try SamplingFixture()
    let call = try fixture.call("ddpm_learned")
    let scheduler = try call.scheduler.decoded(as: SchedulerConfiguration.self)
    func network() throws -> sending DenoisingUNet {
      let network = DenoisingUNet(try call.network.decoded(as: DenoisingUNet.Configuration.self))
      network.fillDeterministically()
      return network
    }
    try expectSamples("ddpm_learned", try Generator(try network(), scheduler: scheduler), fixture)
    let error = #expect(throws: UnsuitableGenerator.self) {
      try Generator(try network(), scheduler: SchedulerConfiguration())
    }
    #expect(error?.description.contains("fixed_small needs 3 for samples of 3") == true)
    #expect(try Generator(VAE(), preprocessing: .digits).generate(count: 2).count == 2)
  }

  @Test("the same seed gives the same pictures, whatever the batches, and a place its own")
  func seeds() throws {
    let generator = try SamplingFixture().generator()
    let sampling = Sampling.ddpm(steps: 5)
    let five = try generator.generate(count: 5, seed: 3, sampling: sampling, batch: 5)
    #expect(try generator.generate(count: 5, seed: 3, sampling: sampling, batch: 5) == five)
    #expect(try generator.generate(count: 5, seed: 4, sampling: sampling, batch: 5) != five)
    #expect(Set(five).count == 5)
    let others = try generator.generate(count: 3, seed: 3, sampling: sampling, batch: 2)
    for (one, other) in zip(five, others) {
      // Sums round otherwise in batches of another size.
      #expect(zip(one.pixels, other.pixels).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
    }
  }

  @Test("copies make the same pictures at the same time")
  func copies() async throws {
    let generator = try SamplingFixture().generator()
    let expected = try generator.generate(count: 2, seed: 1, sampling: .ddim(steps: 4))
    try await withThrowingTaskGroup(of: [Image].self) { group in
      for _ in 0..<4 {
        let copy = generator.copy()
        group.addTask { try copy.generate(count: 2, seed: 1, sampling: .ddim(steps: 4)) }
      }
      for try await pictures in group { #expect(pictures == expected) }
    }
  }

  @Test(
    "what is bound to weights and makes no pictures is refused in a sentence",
    arguments: [
      (#"{"scheduler": [1]}"#, "scheduler is [1], expected an object"),
      (#"{"scheduler": {"beta_start": "x"}}"#, "beta_start is \"x\""),
      (#"{"scheduler": {"num_train_timesteps": 1}}"#, "num_train_timesteps is 1"),
      (#"{"scheduler": {"_class_name": 7}}"#, "_class_name is 7"),
      (#"{"scheduler": {"variance_type": "learned_range"}}"#, "needs 6 for samples of 3"),
    ])
  func hostile(settings: String, sentence: String) throws {
    var loaded = try Zoo.network("ddpm_cifar10", weights: try SamplingFixture().pipeline)
    loaded.metadata.taskSettings = try JSONDecoder().decode(Settings.self, from: Data(settings.utf8))
    let error = refusal(of: loaded)
    #expect(error?.contains(sentence) == true, "\(error ?? "accepted")")
  }

  private func refusal(of loaded: LoadedNetwork) -> String? {
    // The test keeps nothing of the network.
    nonisolated(unsafe) let loaded = loaded
    do {
      _ = try Generator(loaded)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test("sizes and channels of no picture are refused, a wrong scheduler file is named, a missing one told")
  func unsuitable() throws {
    let fixture = try SamplingFixture()
    for (size, sentence) in [
      (AviaryWeights.JSONValue.null, "give one as the setting sample_size"),
      (.array([7, 12].map { .integer($0) }), "7×12"),
      (.array([1 << 20, 1 << 20].map { .integer($0) }), "pixels 4194304 at most"),
    ] {
      let error = #expect(throws: UnsuitableGenerator.self) {
        try fixture.generator(["sample_size": size])
      }
      #expect(error?.description.contains(sentence) == true, "\(String(describing: error))")
    }
    let call = try fixture.call("ddpm")
    try withTemporaryFolder { folder in
      let weights = try SamplingFixture.write(call.network, nil, to: folder)
      let assumed = try Zoo.network("ddpm_cifar10", weights: weights)
      #expect(assumed.assumptions.count == 1)
      #expect(assumed.metadata.taskSettings?["scheduler"] == DenoisingUNet.publishedSchedule)
      let file = URL(filePath: "\(folder)/scheduler_config.json")
      try Data(#"{"_class_name": "PNDMScheduler"}"#.utf8).write(to: file)
      let error = #expect(throws: ConfigurationError.self) {
        try Zoo.network("ddpm_cifar10", weights: weights)
      }
      #expect(error?.description.contains("scheduler_config.json: _class_name") == true)
      try Data("[".utf8).write(to: file)
      #expect(throws: WeightsError.self) { try Zoo.network("ddpm_cifar10", weights: weights) }
    }
    let generator = try fixture.generator()
    #expect(throws: ConfigurationError.self) {
      try generator.generate(count: 1, sampling: .ddpm(steps: 401))
    }
    #expect(throws: SignatureError.self) {
      try generator.forEachBatch(count: 1, latents: Tensor.zeros([1, 3, 8, 8])) { _ in }
    }
    let error = #expect(throws: UnsuitableGenerator.self) { try generator.reconstruct([]) }
    #expect(error?.description.hasPrefix("ddpm_cifar10 has no encoder") == true)
  }

  @Test("weights without a finite result say so, though samples are cut off to their range")
  func notFinite() throws {
    let fixture = try SamplingFixture()
    let loaded = try Zoo.network("ddpm_cifar10", weights: fixture.pipeline)
    let bias = loaded.network.stateEntries.first { $0.name == "conv_out.bias" }
    let entry = try #require(bias)
    entry.value = Tensor(repeating: Float.nan, shape: entry.shape)
    nonisolated(unsafe) let broken = loaded
    let generator = try Generator(broken)
    #expect(throws: NoNumbers.self) { try generator.generate(count: 1, sampling: .ddim(steps: 2)) }
  }

  /// A small network of eleven classes, the last one for any.
  ///
  /// - Parameter scale: of the noise that it sees.
  private func digitGenerator(scale: Float = 1) throws -> Generator {
    let fixture = try denseFixture("denoising")
    let json = Data(try #require(fixture.metadata["classes"]).utf8)
    let network = DenoisingUNet(try JSONDecoder().decode(DenoisingUNet.Configuration.self, from: json))
    network.fillDeterministically()
    for entry in network.stateEntries where entry.name.hasPrefix("conv_out") {
      entry.value = entry.value * scale
    }
    nonisolated(unsafe) let made = network
    var scheduler = SchedulerConfiguration()
    scheduler.limit = .none
    return try Generator(made, scheduler: scheduler, nullClass: 10)
  }

  private func samples(
    _ generator: Generator, _ conditions: Conditions, count: Int = 2, _ sampling: Sampling = .ddim(steps: 3)
  ) throws -> Tensor {
    var result: [Tensor] = []
    try generator.forEachBatch(
      count: count, seed: 1, sampling: sampling, conditions: conditions, batch: 2
    ) { result.append($0) }
    return concatenate(result, axis: 0)
  }

  @Test("classes in turn, and guidance: u + w(c − u), which is the class at 1 and any picture at 0")
  func classes() throws {
    let generator = try digitGenerator()
    #expect(generator.classCount == 10)
    var conditions = Conditions()
    let inTurn = try samples(generator, conditions, count: 3)
    conditions.classes = [0, 1, 2]
    #expect(try samples(generator, conditions, count: 3).values() == inTurn.values())
    conditions.classes = [3]
    conditions.guidance = 0
    let any = try samples(generator, conditions, .ddim(steps: 1))
    conditions.guidance = 1
    let one = try samples(generator, conditions, .ddim(steps: 1))
    conditions.guidance = 3
    let led = try samples(generator, conditions, .ddim(steps: 1))
    // One step is linear in the noise.
    #expect(relativeDifference(led, any + (one - any) * 3) < 1e-4)
    #expect(one.values() != any.values())
    conditions.classes = [10]
    let error = #expect(throws: UnsuitableGenerator.self) { try samples(generator, conditions) }
    #expect(error?.description.contains("knows the classes 0 to 9, there is no class 10") == true)
    conditions.classes = []
    let none = #expect(throws: UnsuitableGenerator.self) {
      try SamplingFixture().generator().generate(count: 1, sampling: .ddim(steps: 1), conditions: conditions)
    }
    #expect(none?.description.contains("knows no classes") == true)
  }

  @Test("what is known of a picture is in the result, to the last digit; resampling does steps again")
  func inpainting() throws {
    let generator = try digitGenerator()
    let picture = Tensor.uniform([1, 1, 8, 8], in: -1..<1, using: RandomGenerator(seed: 4))
    let mask = Tensor((0..<64).map { $0 % 8 < 4 ? Float(1) : 0 }, shape: [1, 1, 8, 8])
    for resamplings in [1, 3] {
      var conditions = Conditions()
      conditions.known = KnownRegion(picture: picture, mask: mask, resamplings: resamplings)
      #expect(try generator.stepCount(.ddpm(steps: 4), conditions) == 3 * resamplings + 1)
      let made = try samples(generator, conditions, .ddpm(steps: 4))
      #expect(relativeDifference(made * mask, (picture * mask).expanded(to: [2, 1, 8, 8])) < 1e-6)
      #expect(made.values().allSatisfy { $0.isFinite })
      #expect(made[0].values() != made[1].values())
    }
    var conditions = Conditions()
    conditions.known = KnownRegion(picture: .zeros([1, 1, 4, 4]), mask: .zeros([1, 1, 4, 4]))
    #expect(throws: UnsuitableGenerator.self) { try samples(generator, conditions) }
  }

  @Test("a picture's noise leads back to the picture; between two noises lies noise of their length")
  func encoding() throws {
    // So little noise that each step hardly changes what is seen.
    let generator = try digitGenerator(scale: 1e-3)
    let pictures = Tensor.uniform([2, 1, 8, 8], in: -1..<1, using: RandomGenerator(seed: 6)) * 0.5
    var (conditions, counted) = (Conditions(), 0)
    conditions.classes = [7, 2]
    let sampling = Sampling.ddim(steps: 200)
    let latents = try generator.latents(of: pictures, sampling: sampling, conditions: conditions) {
      counted += 1
      #expect($0 == counted && $1 == 200)
    }
    var back: Tensor?
    try generator.forEachBatch(
      count: 2, latents: latents, sampling: sampling, conditions: conditions
    ) { back = $0 }
    let returned = try #require(back)
    #expect(relativeDifference(returned, pictures) < 0.1)
    #expect(throws: UnsuitableGenerator.self) { try generator.latents(of: pictures, sampling: .ddpm()) }
    #expect(throws: UnsuitableGenerator.self) {
      try generator.latents(of: pictures, sampling: .ddim(steps: 5, eta: 1))
    }

    let ends = [1, 2].map { Tensor.normal([500], using: RandomGenerator(seed: $0)) }
    let middle = sphericallyInterpolated(ends[0], ends[1], 0.5)
    #expect(abs(middle.square().mean().item() - 1) < 0.15)
    #expect(relativeDifference(sphericallyInterpolated(ends[0], ends[1], 0), ends[0]) < 1e-5)
    #expect(relativeDifference(sphericallyInterpolated(ends[0], ends[0], 0.3), ends[0]) < 1e-5)
  }
}
