import Aviary
import Foundation
import Testing

@testable import AviaryCLI

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite("Pictures from the command line")
struct SampleCommandTests {
  /// First values of the autoencoder, in a file.
  private func withAutoencoder(_ body: (_ folder: String, _ weights: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let weights = "\(folder)/vae.safetensors"
      try withRandomSeed(1) {
        try Zoo.untrainedNetwork(try Catalogue.entry("vae_mnist")).save(to: weights)
      }
      try body(folder, weights)
    }
  }

  @Test("a sheet, single pictures and raw samples, the same for the same seed, and given noise")
  func sample() throws {
    try withAutoencoder { folder, weights in
      let outcome = aviary(
        "sample", "vae_mnist", "--weights", weights, "--count", "5", "--columns", "3", "--seed", "4",
        "--output", "\(folder)/grid.png", "--separate", "\(folder)/single", "--array",
        "\(folder)/samples.npz", "--batch", "2", "--json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let json = try #require(
        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      #expect(json["count"] as? Int == 5 && (json["files"] as? [String])?.count == 7)
      let sheet = try Image(contentsOf: "\(folder)/grid.png")
      #expect(sheet.width == 3 * 30 + 2 && sheet.height == 2 * 30 + 2)
      let samples = try #require(try WeightFile.open("\(folder)/samples.npz").archive["samples"])
      #expect(samples.shape == [5, 1, 28, 28])
      let again = aviary(
        "sample", "vae_mnist", "--weights", weights, "--count", "5", "--seed", "4", "--batch", "2", "--array",
        "\(folder)/again.npz")
      #expect(again.status == 0 && again.output == "\(folder)/again.npz")
      let repeated = try WeightFile.open("\(folder)/again.npz").archive["samples"]
      #expect(repeated?.values() == samples.values())

      try NumPyFile.writeArray(Tensor.zeros([2, 20]), to: "\(folder)/z.npy")
      let given = aviary(
        "sample", "vae_mnist", "--weights", weights, "--noise", "\(folder)/z.npy", "--separate",
        "\(folder)/given")
      #expect(given.status == 0 && given.output.split(separator: "\n").count == 2)
      #expect(try Image(contentsOf: "\(folder)/given/0.png") == Image(contentsOf: "\(folder)/given/1.png"))
    }
  }

  @Test("between pictures, the way to pictures, and options that make no sense together")
  func ways() throws {
    try withAutoencoder { folder, weights throws in
      #expect(aviary("draw", "digits", "\(folder)/digits", "--count", "1").status == 0)
      let outcome = aviary(
        "sample", "vae_mnist", "--weights", weights, "--interpolate", "3", "--count", "3", "--separate",
        "\(folder)/walk", "--frames", "\(folder)/none.png")
      #expect(outcome.status != 0 && outcome.errors.contains("--frames goes not with --interpolate"))
      let walk = aviary(
        "sample", "vae_mnist", "--weights", weights, "--interpolate", "3", "--count", "3", "--separate",
        "\(folder)/walk")
      #expect(walk.status == 0 && walk.output.split(separator: "\n").count == 7, "\(walk.errors)")
      let between = aviary(
        "sample", "vae_mnist", "\(folder)/digits", "--weights", weights, "--interpolate", "2", "--output",
        "\(folder)/between.png", "--json")
      #expect(between.status == 0, "\(between.errors)")
      let frames = aviary(
        "sample", "vae_mnist", "--weights", weights, "--count", "2", "--frames", "\(folder)/way.png")
      #expect(frames.status == 0 && frames.output == "\(folder)/way.png")
      let way = try Image(contentsOf: "\(folder)/way.png")
      #expect(way.width == 2 * 30 + 2)
      func sentence(_ words: String...) -> String {
        aviary(["sample", "vae_mnist", "--weights", weights, "--output", "\(folder)/x.png"] + words).errors
      }
      #expect(sentence("--class", "1").contains("knows no classes"))
      #expect(sentence("--classes", "1,x").contains("--classes takes numbers"))
      #expect(sentence("--class", "1", "--classes", "2").contains("not both"))
      #expect(sentence("--mask", "m.png").contains("belong together"))
      #expect(sentence("--resample", "2").contains("--resample is for --mask"))
      #expect(sentence("--frames", "\(folder)/x.gif").contains("animated PNG"))
      #expect(sentence("--interpolate", "2", "--count", "1").contains("two pictures"))
    }
  }

  @Test("what a judge says of made pictures")
  func judged() throws {
    try withTemporaryFolder { folder in
      let weights = "\(folder)/dcgan.safetensors"
      let settings: Settings = [
        "nz": .integer(4), "ngf": .integer(2), "nc": .integer(1), "image_size": .integer(32),
      ]
      try withRandomSeed(1) {
        try Zoo.untrainedNetwork(try Catalogue.entry("dcgan_generator"), settings: settings).save(to: weights)
      }
      #expect(aviary("draw", "digits", "\(folder)/digits", "--count", "1").status == 0)
      let outcome = aviary(
        "evaluate", "dcgan_generator", "--weights", weights, "--count", "30", "--json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let json = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
      let quality = json?["quality"] as? [String: Any]
      #expect(quality?["judge"] as? String == "lenet" && quality?["count"] as? Int == 30)
      #expect((quality?["classes"] as? [Int])?.reduce(0, +) == 30)
      #expect(
        aviary("evaluate", "vae_mnist", "--weights", weights, "--judge", "lenet", "--data", "x").status != 0)
    }
  }

  @Test("pictures through an autoencoder, above what they become")
  func reconstruct() throws {
    try withAutoencoder { folder, weights in
      #expect(aviary("draw", "digits", "\(folder)/digits", "--count", "1").status == 0)
      let outcome = aviary(
        "sample", "vae_mnist", "--weights", weights, "--reconstruct", "\(folder)/digits", "--columns", "4",
        "--output", "\(folder)/both.png")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let sheet = try Image(contentsOf: "\(folder)/both.png")
      #expect(sheet.width == 4 * 30 + 2 && sheet.height == 6 * 30 + 2)
      let bound = aviary(
        "evaluate", "vae_mnist", "--weights", weights, "--data", "\(folder)/digits", "--json")
      #expect(bound.status == 0, "\(bound.errors)")
      let json = try JSONSerialization.jsonObject(with: Data(bound.output.utf8)) as? [String: Any]
      let sum = (json?["reconstruction"] as? Double ?? 0) + (json?["divergence"] as? Double ?? 0)
      #expect(json?["count"] as? Int == 100 || json?["count"] as? Int == 10)
      #expect(abs((json?["negative_elbo"] as? Double ?? 0) - sum) < 1e-9 * sum)
    }
  }

  @Test("command lines that make no sense, and files that fit nothing")
  func refused() throws {
    try withAutoencoder { folder, weights in
      func sentence(_ words: String...) -> String {
        let outcome = aviary(["sample", "vae_mnist", "--weights", weights] + words)
        #expect(outcome.status != 0 && !outcome.errors.contains("\n"), "\(words)")
        return outcome.errors
      }
      let output = ["--output", "\(folder)/x.png"]
      #expect(sentence().contains("nothing would be written"))
      #expect(sentence("--count", "0", output[0], output[1]).contains("from 1"))
      #expect(sentence("--sampler", "euler", output[0], output[1]).contains("ddpm or ddim"))
      #expect(sentence("--steps", "5", output[0], output[1]).contains("decodes noise at once"))
      #expect(sentence("--eta", "1", output[0], output[1]).contains("--sampler ddim"))
      #expect(sentence("--output", "\(folder)/none/x.png").contains("there is no folder"))
      #expect(sentence("--output", "\(folder)/x.gif").contains(".png, .jpg or .jpeg"))
      try NumPyFile.writeArray(Tensor.zeros([2, 19]), to: "\(folder)/z.npy")
      #expect(sentence("--noise", "\(folder)/z.npy", output[0], output[1]).contains("2×20 float32"))
      #expect(
        sentence("--noise", "\(folder)/z.npy", "--count", "2", output[0], output[1]).contains("--count"))
      #expect(sentence("--reconstruct", output[0], output[1]).contains("arguments are missing"))
      #expect(sentence("--set", "z=1", output[0], output[1]).contains("no setting z"))
    }
    #expect(
      aviary("sample", "lenet", "--output", "x.png").errors.contains("lenet classifies: aviary predict"))
    #expect(aviary("evaluate", "unet", "--data", "x").errors.contains("the real classes of x are neither"))
    #expect(aviary("evaluate", "lenet", "--data", "x", "--limit", "3").errors.contains("--limit goes not"))
  }

  @Test(
    "the real autoencoder's bound on MNIST's test digits is the published one",
    .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
  func digits() throws {
    let assets = try #require(assets)
    let outcome = aviary(
      "evaluate", "vae_mnist", "--weights", "\(assets)/weights/vae_mnist_csinva.pth", "--data",
      "\(assets)/data/mnist", "--json")
    let json = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    #expect(abs((json?["negative_elbo"] as? Double ?? 0) - 103.22) < 0.1)
    #expect(abs((json?["divergence"] as? Double ?? 0) - 25.7547) < 1e-3)
    #expect(json?["count"] as? Int == 10_000)
  }
}
