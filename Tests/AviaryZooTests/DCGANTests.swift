import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite("DCGAN against PyTorch")
struct DCGANTests {
  private let fixture: GoldenFile

  init() throws { fixture = try denseFixture("dcgan") }

  private func configuration(_ name: String) throws -> DCGANConfiguration {
    try JSONDecoder().decode(
      DCGANConfiguration.self, from: Data(try #require(fixture.metadata[name]).utf8))
  }

  /// The labels that the fixture's conditional networks were called with.
  private func labels(_ configuration: DCGANConfiguration) -> NamedTensors {
    configuration.classes > 0 ? ["labels": Tensor([Int64(4), 0])] : NamedTensors()
  }

  @Test("pictures and verdicts with deterministic weights", arguments: ["tutorial", "digits", "classes"])
  func outputs(name: String) throws {
    let configuration = try configuration(name)
    let generator = DCGANGenerator(configuration)
    generator.fillDeterministically()
    let parameters = try #require(fixture["\(name).parameters"]).item(as: Int64.self)
    #expect(generator.parameterCount == Int(parameters))
    let labels = labels(configuration)
    var inputs = labels
    inputs["z"] = deterministicInput([2, configuration.noise, 1, 1])
    try generator.expectOutput("out", of: inputs, toBe: try #require(fixture["\(name).pictures"]))

    let discriminator = DCGANDiscriminator(configuration)
    discriminator.fillDeterministically()
    let count = try #require(fixture["\(name).discriminator_parameters"]).item(as: Int64.self)
    #expect(discriminator.parameterCount == Int(count))
    let size = configuration.imageSize
    inputs = labels
    inputs["input"] = deterministicInput([2, configuration.channels, size, size])
    try discriminator.expectOutput("out", of: inputs, toBe: try #require(fixture["\(name).verdicts"]))
  }

  @Test("the gradient penalty and its gradient are those of PyTorch's gradient of a gradient")
  func penalty() throws {
    let configuration = try configuration("classes")
    let critic = DCGANDiscriminator(configuration)
    critic.fillDeterministically()
    let pictures = deterministicInput([2, 1, 16, 16])
    let labels = Tensor([Int64(4), 0])
    let slope = critic.slope(at: pictures, labels)
    let expected = try #require(fixture["classes.penalty"]).item()
    #expect(abs(slope.penalty - expected) < 1e-4 * abs(expected))
    let (_, gradients) = valueAndGradient(of: critic) { critic.slopePenalty(slope) }
    for (name, parameter) in critic.namedParameters {
      let gradient = try #require(gradients[parameter])
      let expected = try #require(fixture["classes.penalty.\(name)"])
      #expect(relativeDifference(gradient, expected) < 1e-4, "\(name)")
    }
  }

  @Test("shapes tell the sizes of both networks")
  func adopting() throws {
    for name in ["tutorial", "digits"] {
      let wanted = try configuration(name)
      let generator = try DCGANGenerator(wanted).archive()
      let found = DCGANGeneratorConfiguration().adopting(generator).sizes
      #expect(found.noise == wanted.noise && found.generatorWidth == wanted.generatorWidth)
      #expect(found.imageSize == wanted.imageSize && found.channels == wanted.channels)
      let judge = DCGANDiscriminatorConfiguration().adopting(try DCGANDiscriminator(wanted).archive()).sizes
      #expect(judge.discriminatorWidth == wanted.discriminatorWidth && judge.imageSize == wanted.imageSize)
      #expect(judge.channels == wanted.channels && judge.isNormalized)
    }
    var critic = DCGANConfiguration()
    (critic.isNormalized, critic.imageSize, critic.discriminatorWidth) = (false, 32, 8)
    let found = DCGANDiscriminatorConfiguration().adopting(try DCGANDiscriminator(critic).archive()).sizes
    #expect(!found.isNormalized && found.imageSize == 32 && found.discriminatorWidth == 8)
  }

  @Test(
    "settings that make no network are named",
    arguments: [
      (#"{"image_size": 48}"#, "image_size is 48, expected a power of two"),
      (#"{"nz": 0}"#, "nz is 0"), (#"{"norm": "layer"}"#, "norm is \"layer\""),
      (#"{"nfg": 3}"#, "nfg is 3, expected no such entry"),
    ])
  func refused(json: String, sentence: String) throws {
    let error = #expect(throws: ConfigurationError.self) {
      try JSONDecoder().decode(DCGANConfiguration.self, from: Data(json.utf8))
    }
    #expect(error?.description.contains(sentence) == true, "\(String(describing: error))")
  }

  @Test("pictures by class, the same for a seed; a judge makes none")
  func generator() throws {
    let entry = try Catalogue.entry("dcgan_generator")
    let settings: Settings = [
      "nz": .integer(6), "ngf": .integer(4), "nc": .integer(1), "image_size": .integer(16),
      "num_classes": .integer(3),
    ]
    func generator() throws -> Generator {
      try withRandomSeed(1) { try Generator(try Zoo.untrainedNetwork(entry, settings: settings)) }
    }
    let made = try generator()
    #expect(made.classCount == 3 && made.pictureShape == [1, 16, 16] && made.sampling == nil)
    let pictures = try made.generate(count: 4, seed: 2)
    #expect(try made.copy().generate(count: 4, seed: 2) == pictures)
    var conditions = Conditions()
    conditions.classes = [0, 1, 2, 0]
    #expect(try made.generate(count: 4, seed: 2, conditions: conditions) == pictures)
    conditions.classes = [3]
    let error = #expect(throws: UnsuitableGenerator.self) {
      try made.generate(count: 1, conditions: conditions)
    }
    #expect(error?.description.contains("there is no class 3") == true)
    let judge = #expect(throws: UnsuitableGenerator.self) {
      try Generator(try Zoo.untrainedNetwork(try Catalogue.entry("dcgan_discriminator")))
    }
    #expect(judge?.description.contains("judges pictures and makes none") == true)
  }

  @Test("two networks learn against each other, by either objective, and go on after an interruption")
  func learning() throws {
    var sizes = DCGANConfiguration()
    (sizes.noise, sizes.generatorWidth, sizes.discriminatorWidth) = (4, 4, 4)
    (sizes.channels, sizes.imageSize) = (1, 16)
    let pictures = Tensor.uniform([24, 1, 16, 16], using: RandomGenerator(seed: 3))
    let data = TensorDataset(inputs: pictures, labels: Array(repeating: 0, count: 24), classNames: ["any"])
    for objective in [
      AdversarialLearner.Objective.nonSaturating(), .wasserstein(penalty: 10, criticSteps: 2),
    ] {
      if case .wasserstein = objective { sizes.isNormalized = false }
      func learner() -> AdversarialLearner {
        withRandomSeed(5) {
          AdversarialLearner(
            DCGANGenerator(sizes), DCGANDiscriminator(sizes), objective: objective,
            optimizers: (Adam(learningRate: 1e-3), Adam(learningRate: 1e-3)))
        }
      }
      let whole = learner()
      try Trainer(whole).fit(data, epochs: 2, batchSize: 8, seed: 1)
      let first = learner()
      var kept: TrainingCheckpoint?
      let trainer = Trainer(first)
      trainer.onState = { if $0.stepsTaken == 4 { kept = TrainingCheckpoint(of: first, $0) } }
      try trainer.fit(data, epochs: 2, batchSize: 8, seed: 1)
      let resumed = learner()
      let checkpoint = try #require(kept)
      try checkpoint.restore(resumed)
      try Trainer(resumed).fit(data, epochs: 2, batchSize: 8, seed: 1, resuming: checkpoint.state)
      for (one, other) in zip(whole.generator.stateEntries, resumed.generator.stateEntries) {
        #expect(one.value.values() == other.value.values(), "\(one.name)")
      }
    }
  }

  @Test("what goes wrong is said in words")
  func collapse() {
    var watch = CollapseWatch()
    let real = Tensor.uniform([8, 1, 4, 4], using: RandomGenerator(seed: 1))
    for _ in 0..<100 {
      watch.add(discriminatorLoss: 0.001, generatorLoss: 9, made: .zeros([8, 1, 4, 4]), real: real)
    }
    #expect(watch.diversity == 0 && watch.complaints().count == 2)
    #expect(watch.complaints()[0].contains("collapses") && watch.complaints(saturates: false).count == 1)
    #expect(CollapseWatch.diversity(of: real, beside: real) == 1)
    #expect(CollapseWatch().complaints().isEmpty)
  }

  @Test(
    "real networks of digits give what PyTorch does",
    .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
  func real() throws {
    let assets = try #require(assets)
    let golden = try GoldenFile(URL(filePath: "\(assets)/data/reference_torch.safetensors"))
    let judge = try Zoo.network(
      "dcgan_discriminator", weights: "\(assets)/weights/dcgan_mnist_netD99.pth")
    #expect(judge.settings["image_size"] == .integer(32))
    let verdicts = try judge.outputs(for: ["input": try #require(golden["dcgan_d.input"])])["out"]
    let expectedVerdicts = try #require(golden["dcgan_d.output"])
    #expect(relativeDifference(verdicts.reshaped([8, 1]), expectedVerdicts) < 1e-4)
    let maker = try Zoo.network("gan_mlp_mnist", weights: "\(assets)/weights/gan_mlp_mnist_G300.ckpt")
    let pictures = try maker.outputs(for: ["z": try #require(golden["gan.z"])])["out"]
    let expectedPictures = try #require(golden["gan.G"])
    #expect(relativeDifference(pictures, expectedPictures) < 1e-4)
  }
}
