import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite("Autoencoders as tasks")
struct AutoencoderTests {
  private func generator(_ settings: Settings = [:]) throws -> Generator {
    try withRandomSeed(1) {
      try Generator(try Zoo.untrainedNetwork(try Catalogue.entry("vae_mnist"), settings: settings))
    }
  }

  @Test("codes become pictures, the same ones for the same seed, and there is no sampler to choose")
  func pictures() throws {
    let generator = try generator()
    #expect(generator.latentShape == [20] && generator.pictureShape == [1, 28, 28])
    let pictures = try generator.generate(count: 7, seed: 5, batch: 3)
    #expect(pictures.count == 7 && pictures.allSatisfy { $0.model == .grey && $0.width == 28 })
    #expect(try generator.copy().generate(count: 7, seed: 5, batch: 3) == pictures)
    #expect(try generator.generate(count: 7, seed: 6, batch: 3) != pictures)
    let error = #expect(throws: UnsuitableGenerator.self) {
      try generator.generate(count: 1, sampling: .ddpm())
    }
    #expect(error?.description.hasPrefix("vae_mnist decodes noise at once") == true)
  }

  @Test("a picture of any size becomes the network's and comes back; batches do not change the bound")
  func reconstruction() throws {
    let generator = try generator()
    let pixels = (0..<40 * 33 * 3).map { UInt8($0 % 251) }
    let image = Image(width: 40, height: 33, model: .rgb, pixels: pixels)
    let back = try generator.reconstruct([image, image])
    #expect(back.count == 2 && back[0] == back[1] && back[0].width == 28 && back[0].model == .grey)

    let digits = Tensor.uniform([6, 1, 28, 28], using: RandomGenerator(seed: 2))
    let whole = try generator.negativeELBO(of: digits, using: RandomGenerator(seed: 3))
    let draws = RandomGenerator(seed: 3)
    let parts = try [0..<4, 4..<6].map { range in
      (try generator.negativeELBO(of: digits.sliced(0, range), using: draws), Float(range.count))
    }
    let mean = parts.reduce(0) { $0 + $1.0.total.item() * $1.1 } / 6
    #expect(abs(mean - whole.total.item()) < 1e-4 * abs(mean))
  }

  @Test("a network whose pictures are of another size than its preprocessing's is refused")
  func unsuitable() throws {
    let error = #expect(throws: UnsuitableGenerator.self) { try generator(["pixels": .integer(100)]) }
    #expect(error?.description.contains("100 values for a picture") == true)
    #expect(throws: WrongTask.self) { try Zoo.load(Generator.self, "charrnn") }
  }

  @Test(
    "the real one: reconstructions and the bound of MNIST's first test digits",
    .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
  func digits() throws {
    let assets = try #require(assets)
    let generator = try Zoo.load(
      Generator.self, "vae_mnist", weights: "\(assets)/weights/vae_mnist_csinva.pth")
    let expected = try GoldenFile(URL(filePath: "\(assets)/data/reference_torch.safetensors"))
    let input = try #require(expected["vae.input"])
    let decoded = try #require(expected["vae.decoded_mu"])
    let images = try Image.pictures(of: input.reshaped([input.shape[0], 1, 28, 28]))
    let back = try generator.reconstruct(images)
    let pictures = try Image.pictures(of: decoded.reshaped([input.shape[0], 1, 28, 28]))
    for (one, other) in zip(back, pictures) {
      #expect(zip(one.pixels, other.pixels).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
    }
  }
}
