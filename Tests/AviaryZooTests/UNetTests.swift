import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("U-Nets against their reference")
struct UNetTests {
  /// Current Pytorch-UNet with both kinds of upsampling, and its first version.
  static let configurations: [String: UNet.Configuration] = [
    "unet": .unet, "unet_bilinear": .unetBilinear,
    "unet_biased": UNet.Configuration(upsampling: .transposed, hasConvolutionBias: true),
  ]

  @Test("logits of a picture of odd size", arguments: configurations.keys.sorted())
  func logits(name: String) throws {
    let fixture = try denseFixture("unet")
    let network = UNet(try #require(Self.configurations[name]))
    network.fillDeterministically()
    let parameters = try #require(fixture["\(name).parameters"]).item(as: Int64.self)
    #expect(network.parameterCount == Int(parameters))
    let expected = try #require(fixture["\(name).logits"])
    try network.expectOutput(
      "logits", of: ["image": deterministicInput([1, 3, 37, 51])], toBe: expected)
    CachingAllocator.trim()
  }

  @Test("the U-Net of brain MRI gives the reference's probabilities, under the reference's names")
  func brain() throws {
    let fixture = try denseFixture("unet")
    let network = BrainUNet()
    network.fillDeterministically()
    #expect(network.stateEntries.first?.name == "encoder1.enc1conv1.weight")
    #expect(network.stateEntries.contains { $0.name == "bottleneck.bottlenecknorm2.running_var" })
    let parameters = try #require(fixture["unet_brain.parameters"]).item(as: Int64.self)
    #expect(network.parameterCount == Int(parameters))
    let inputs: NamedTensors = ["image": deterministicInput([1, 3, 48, 32])]
    try network.expectOutput(
      "probabilities", of: inputs, toBe: try #require(fixture["unet_brain.probabilities"]))
    let outputs = network(inputs)
    #expect(outputs["logits"].sigmoid().values() == outputs["probabilities"].values())
    #expect(throws: SignatureError.self) { try network.check(["image": deterministicInput([1, 3, 40, 32])]) }
    CachingAllocator.trim()
  }

  @Test("training reaches every parameter, whichever way the features grow")
  func gradients() {
    for configuration in [UNet.Configuration.unet, .unetBilinear] {
      let network = UNet(configuration)
      network.fillDeterministically()
      network.expectGradients(of: "logits", ["image": deterministicInput([2, 3, 32, 32])])
    }
    let network = RetinaUNet()
    network.fillDeterministically()
    network.expectGradients(of: "logits", ["image": deterministicInput([1, 1, 16, 24])])
    let brain = BrainUNet()
    brain.fillDeterministically()
    brain.expectGradients(of: "logits", ["image": deterministicInput([2, 3, 32, 32])])
    CachingAllocator.trim()
  }

  @Test("the retina network is one of numbered convolutions, at home in Keras 1")
  func retinaNames() throws {
    let network = RetinaUNet()
    #expect(network.stateEntries.map(\.name).first == "conv1.weight")
    #expect(network.stateEntries.map(\.name).last == "conv11.bias")
    let map = try NameMap(contentsOf: try Resources.url("keras1_unet_drive", "json").path)
    let ours = try WeightArchive(network.stateEntries.map { ($0.name, $0.value) })
    let theirs = try map.exported(ours)
    #expect(theirs.unmatched.isEmpty)
    let back = try map.imported(theirs.archive)
    #expect(back.unmatched.isEmpty)
    for (name, tensor) in ours.entries {
      #expect(try #require(back.archive[name]).values() == tensor.values(), "\(name)")
    }
    let kernel = try #require(ours["conv3.weight"])
    let turned = try #require(try theirs.archive.withCanonicalKerasNames()["convolution2d_3/kernel"])
    #expect(turned.values() == kernel.flipped(2).flipped(3).values())
  }
}

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

/// Published weights on the first picture of DRIVE's test set.
@Suite(
  "Real weights of U-Nets", .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
struct UNetAssetTests {
  /// The weights of a file in the layout of PyTorch, or of Keras 1 on Theano.
  private func network(_ file: String, map: String? = nil) throws -> RetinaUNet {
    let network = RetinaUNet()
    var archive = try WeightFile.open("\(try #require(assets))/weights/\(file)").archive
    if let map {
      let translation = try NameMap(contentsOf: try Resources.url(map, "json").path).imported(archive)
      #expect(translation.unmatched.isEmpty)
      archive = translation.archive
    }
    #expect(Set(archive.names) == Set(network.stateEntries.map(\.name)))
    for entry in network.stateEntries { entry.value = try #require(archive[entry.name]) }
    return network
  }

  /// Brightness 0…1 of a picture, 1×1×H×W.
  private func grey(_ file: String) throws -> Tensor {
    let image = try Image(contentsOf: "\(try #require(assets))/images/\(file)").converted(to: .grey)
    return Tensor(image.pixels.map { Float($0) / 255 }, shape: [1, 1, image.height, image.width])
  }

  @Test("vessels of a retina: Dice 0.824, 97.3 % of the pixels, from Keras' file and from PyTorch's alike")
  func retina() throws {
    let (picture, truth) = (try grey("retina_0_input.png"), try grey("retina_0_truth.png"))
    #expect(picture.shape == [1, 1, 584, 565])
    let padded = picture.padded(before: [0, 0, 0, 0], after: [0, 0, 0, 3])
    let keras = try network("retina_unet_drive_best.h5", map: "keras1_unet_drive")
    let torch = try network("retina_unet_drive.pth")
    let probabilities = keras.logits(padded).softmax(1).selected(1, 1).sliced(2, 0..<565)
    let same = torch.logits(padded).softmax(1).selected(1, 1).sliced(2, 0..<565)
    #expect(probabilities.values() == same.values())
    let compiled = keras.compiled()(["image": padded])["logits"]
    #expect(relativeDifference(compiled, keras.logits(padded)) < 1e-4)

    var (both, found, there, right) = (0, 0, 0, 0)
    for (probability, brightness) in zip(probabilities.values(), truth.values()) {
      let (isFound, isThere) = (probability > 0.5, brightness > 0.5)
      both += isFound && isThere ? 1 : 0
      found += isFound ? 1 : 0
      there += isThere ? 1 : 0
      right += isFound == isThere ? 1 : 0
    }
    let dice = 2 * Double(both) / Double(found + there)
    let accuracy = Double(right) / Double(truth.count)
    #expect(abs(dice - 0.824) < 5e-4)
    #expect(abs(accuracy - 0.973) < 5e-4)

    // Theirs are means over patches that overlap.
    let authors = try grey("retina_0_authors.png")
    #expect(authors.shape == picture.shape)
    let distance = meanAbsoluteError(probabilities.reshaped(authors.shape), authors)
    #expect(abs(distance.item() - 0.0066) < 1e-4)
  }

  @Test("PyTorch's probabilities of a piece")
  func retinaReference() throws {
    let expected = try GoldenFile(
      URL(filePath: "\(try #require(assets))/data/reference_torch.safetensors"))
    let input = try #require(expected["retina_unet.input"])
    let vessels = try network("retina_unet_drive_best.h5", map: "keras1_unet_drive").logits(input)
      .softmax(1).selected(1, 1)
    #expect(relativeDifference(vessels, try #require(expected["retina_unet.vessel_probability"])) < 1e-4)
  }
}
