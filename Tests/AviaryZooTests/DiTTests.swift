import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Diffusion transformers against their references")
struct DiTTests {
  private let fixture: GoldenFile

  init() throws { fixture = try denseFixture("dit") }

  private func configuration<Configuration: Decodable>(_ name: String) throws -> Configuration {
    try JSONDecoder().decode(Configuration.self, from: Data(try #require(fixture.metadata[name]).utf8))
  }

  private func inputs(_ name: String, _ sizes: DiTConfiguration) throws -> NamedTensors {
    [
      "x": deterministicInput([2, sizes.inChannels, sizes.inputSize, sizes.inputSize]),
      "t": try #require(fixture["\(name).timesteps"]), "y": try #require(fixture["\(name).labels"]),
    ]
  }

  @Test("the authors' form", arguments: ["dit_s_2", "grey"])
  func authors(name: String) throws {
    let network = DiT(try configuration(name))
    let fixed = network.posEmbed.value
    network.fillDeterministically(butFixed: true)
    #expect(network.posEmbed.value.values() == fixed.values())
    let parameters = try #require(fixture["\(name).parameters"]).item(as: Int64.self)
    #expect(network.parameterCount == Int(parameters))
    try network.expectOutput(
      "noise", of: try inputs(name, network.configuration), toBe: try #require(fixture["\(name).noise"]))
  }

  @Test("diffusers' form, from its configuration file", arguments: ["dit_s_2", "grey"])
  func diffusers(name: String) throws {
    let network = TransformerDiT(try configuration("\(name).diffusers"))
    network.fillDeterministically()
    let count = try #require(fixture["\(name).diffusers.parameters"]).item(as: Int64.self)
    #expect(network.parameterCount == Int(count))
    try network.expectOutput(
      "noise", of: try inputs(name, network.configuration.sizes),
      toBe: try #require(fixture["\(name).diffusers.noise"]))
  }

  @Test("training reaches every parameter")
  func gradients() throws {
    let network = DiT(try configuration("grey"))
    network.fillDeterministically(butFixed: true)
    network.expectGradients(of: "noise", try inputs("grey", network.configuration))
  }

  @Test("files tell the sizes, under either names")
  func loading() throws {
    let sizes: DiTConfiguration = try configuration("grey")
    try withTemporaryFolder { folder in
      let path = "\(folder)/dit.safetensors"
      try WeightFile.write(try DiT(sizes).archive(), to: path, as: .safetensors)
      let loaded = try Zoo.network(
        "dit_s_2", weights: path, settings: ["num_heads": .integer(3), "depth": .integer(2)])
      #expect(loaded.dialect.name == "facebookresearch")
      #expect((loaded.network as? DiT)?.configuration == sizes)
      let theirs = "\(folder)/transformer.safetensors"
      try WeightFile.write(
        try TransformerDiT(.init(sizes)).archive(), to: theirs, as: .safetensors)
      try Data(try #require(fixture.metadata["grey.diffusers"]).utf8).write(
        to: URL(filePath: "\(folder)/config.json"))
      let other = try Zoo.network("dit_s_2", weights: theirs)
      #expect(other.dialect.name == "diffusers")
      #expect((other.network as? TransformerDiT)?.configuration.sizes == sizes)
    }
  }

  @Test("guidance leads to the class, of the authors' form in three channels alone; latents are no pictures")
  func guidance() throws {
    let entry = try Catalogue.entry("dit_s_2")
    let settings: Settings = [
      "input_size": .integer(4), "hidden_size": .integer(16), "depth": .integer(1), "num_heads": .integer(2),
      "num_classes": .integer(3),
    ]
    let loaded = try Zoo.untrainedNetwork(entry, settings: settings)
    loaded.network.fillDeterministically(butFixed: true)
    nonisolated(unsafe) let given = loaded
    let generator = try Generator(given)
    #expect(generator.latentShape == [4, 4, 4] && generator.classCount == 3 && !generator.makesPictures)
    #expect(try generator.stepCount() == 250)
    func samples(_ guidance: Float, _ sampling: Sampling = .ddim(steps: 1)) throws -> Tensor {
      var (conditions, result): (Conditions, Tensor?) = (Conditions(), nil)
      (conditions.classes, conditions.guidance) = ([1], guidance)
      try generator.forEachBatch(count: 2, seed: 1, sampling: sampling, conditions: conditions) {
        result = $0
      }
      return try #require(result)
    }
    let (plain, led) = (try samples(1), try samples(4))
    let change = (plain - led).abs().amax([0, 2, 3]).values()
    #expect(change[0] > 0 && change[1] > 0 && change[2] > 0 && change[3] == 0)
    #expect(try samples(1).values() == plain.values())
    #expect(throws: UnsuitableGenerator.self) { try generator.generate(count: 1, sampling: .ddim(steps: 1)) }
    #expect(try samples(2, .ddpm(steps: 3)).values().allSatisfy { $0.isFinite })
  }

  @Test(
    "settings that make no network are named",
    arguments: [
      (#"{"input_size": 31}"#, "input_size is 31"), (#"{"num_heads": 7}"#, "num_heads is 7"),
      (#"{"input_size": 2048, "patch_size": 1}"#, "256 patches"), (#"{"mlp_ratio": 1e9}"#, "mlp_ratio"),
      (#"{"dept": 1}"#, "dept is 1, expected no such entry"),
    ])
  func refused(json: String, sentence: String) throws {
    let error = #expect(throws: ConfigurationError.self) {
      try JSONDecoder().decode(DiTConfiguration.self, from: Data(json.utf8))
    }
    #expect(error?.description.contains(sentence) == true, "\(String(describing: error))")
  }
}
