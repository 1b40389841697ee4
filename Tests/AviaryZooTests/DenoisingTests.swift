import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Denoising U-Nets against diffusers")
struct DenoisingTests {
  private func configuration(_ json: String) throws -> DenoisingUNet.Configuration {
    try JSONDecoder().decode(DenoisingUNet.Configuration.self, from: Data(json.utf8))
  }

  @Test(
    "the noise in two samples at two steps, from diffusers' configuration",
    arguments: ["ddpm_cifar10", "heads", "no_middle", "plain", "classes"])
  func noise(name: String) throws {
    let fixture = try denseFixture("denoising")
    let network = DenoisingUNet(try configuration(try #require(fixture.metadata[name])))
    network.fillDeterministically()
    let parameters = try #require(fixture["\(name).parameters"]).item(as: Int64.self)
    #expect(network.parameterCount == Int(parameters))
    let shape = try #require(fixture["\(name).shape"]).values(of: Int64.self).map(Int.init)
    var inputs: NamedTensors = [
      "sample": deterministicInput(shape), "timesteps": try #require(fixture["\(name).timesteps"]),
    ]
    if let labels = fixture["\(name).labels"] { inputs["class_labels"] = labels }
    try network.expectOutput("noise", of: inputs, toBe: try #require(fixture["\(name).noise"]))
    CachingAllocator.trim()
  }

  @Test("training reaches every parameter", arguments: ["heads", "no_middle", "plain"])
  func gradients(name: String) throws {
    let fixture = try denseFixture("denoising")
    let network = DenoisingUNet(try configuration(try #require(fixture.metadata[name])))
    network.fillDeterministically()
    let shape = try #require(fixture["\(name).shape"]).values(of: Int64.self).map(Int.init)
    network.expectGradients(
      of: "noise",
      ["sample": deterministicInput(shape), "timesteps": try #require(fixture["\(name).timesteps"])])
  }

  @Test("the published configuration is the network of the paper")
  func published() throws {
    let fixture = try denseFixture("denoising")
    #expect(try configuration(try #require(fixture.metadata["ddpm_cifar10"])) == .ddpmCIFAR10)
    // The same as diffusers writes it today, with every entry.
    #expect(try configuration(try #require(fixture.metadata["ddpm_cifar10.saved"])) == .ddpmCIFAR10)
    let network = DenoisingUNet(.ddpmCIFAR10)
    #expect(network.parameterCount == 35_746_307)
    #expect(network.stateEntries.count == 328)
    #expect(network.signature.inputs.map(\.text) == ["N×3×H×W float32", "N int64"])
    #expect(try configuration("{}") == DenoisingUNet.Configuration())
  }

  @Test("older files name the parts of attention differently")
  func olderNames() throws {
    let network = DenoisingUNet(.ddpmCIFAR10)
    let names = network.stateEntries.map(\.name)
    let map = try NameMap(contentsOf: try Resources.url("diffusers_old_unet", "json").path)
    // One number each: it is about names.
    let theirs = try map.exported(try WeightArchive(names.map { ($0, Tensor(Float(1))) }))
    #expect(theirs.archive.spec("mid_block.attentions.0.proj_attn.weight") != nil)
    #expect(theirs.archive.spec("down_blocks.1.attentions.1.query.bias") != nil)
    #expect(theirs.archive.spec("up_blocks.2.attentions.2.key.weight") != nil)
    #expect(theirs.archive.count == 6 * 8)
    #expect(theirs.unmatched.allSatisfy { !$0.contains("to_") })
    #expect(Set(try map.imported(theirs.archive).archive.names + theirs.unmatched) == Set(names))
  }

  @Test(
    "what is unknown or not supported is named",
    arguments: [
      (#"{"norm_groups": 32}"#, "norm_groups is 32, expected no such entry"),
      (#"{"_class_name": "UNet2DConditionModel"}"#, "_class_name"),
      (#"{"time_embedding_type": "fourier"}"#, "time_embedding_type is \"fourier\", expected \"positional\""),
      (#"{"down_block_types": ["SkipDownBlock2D"]}"#, "AttnDownBlock2D or DownBlock2D"),
      (#"{"block_out_channels": [32, 64]}"#, "down_block_types is a list of 4"),
      (#"{"block_out_channels": [32, 64, 100, 128]}"#, "block_out_channels is 100"),
      (#"{"downsample_padding": 2}"#, "downsample_padding is 2, expected a whole number from 0 to 1"),
      (#"{"layers_per_block": 100000}"#, "layers_per_block is 100000"),
      (#"{"attention_head_dim": 9}"#, "attention_head_dim is 9, expected a divisor of 448 channels"),
      (#"{"attention_head_dim": 0}"#, "attention_head_dim is 0"),
      (#"{"sample_size": [32, 32, 3]}"#, "sample_size is [32, 32, 3]"),
      (#"{"in_channels": null}"#, "in_channels is null"),
      (#"{"layers_per_block": 1e300}"#, "layers_per_block"),
      (#"{"num_class_embeds": 0}"#, "num_class_embeds is 0"),
      (#"{"class_embed_type": "timestep"}"#, "class_embed_type is \"timestep\", expected null"),
      (#"{"resnet_time_scale_shift": "scale_shift"}"#, "resnet_time_scale_shift"),
    ])
  func refused(json: String, sentence: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try configuration(json) }
    #expect(try #require(error).description.contains(sentence), "\(String(describing: error))")
  }
}
