import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Commands on networks of every task")
struct NetworkCommandTests {
  /// Writes a VAE of 16 values, 8 hidden units and a code of 3, and gives it to `body` with the path.
  private func withSmallVAE(_ body: (_ network: any Network, _ path: String, _ folder: String) throws -> Void)
    throws
  {
    try withTemporaryFolder { folder in
      let settings: Settings = ["pixels": 16, "hidden": 8, "code": 3].mapValues { .integer($0) }
      let loaded = try withRandomSeed(1) {
        try Zoo.untrainedNetwork(try Catalogue.entry("vae_mnist"), settings: settings)
      }
      try loaded.save(to: "\(folder)/vae.safetensors")
      try body(loaded.network, "\(folder)/vae.safetensors", folder)
    }
  }

  private func write(_ arrays: [(String, Tensor)], _ path: String) throws {
    try WeightFile.write(try WeightArchive(arrays), to: path, as: .npz)
  }

  @Test("run takes the only input under any name, and writes all outputs under theirs")
  func run() throws {
    try withSmallVAE { network, weights, folder in
      let image = Tensor.uniform([2, 16], using: RandomGenerator(seed: 3))
      let expected = network(["image": image])
      for name in ["image", "x"] {
        try write([(name, image)], "\(folder)/x.npz")
        let outcome = aviary(
          "run", "vae_mnist", "--weights", weights, "--input", "\(folder)/x.npz", "--output",
          "\(folder)/y.npz",
          "--exact")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let found = try WeightFile.open("\(folder)/y.npz").archive
        #expect(Set(found.names) == ["reconstruction", "mean", "log_variance"])
        for (name, tensor) in expected.elements {
          let difference = zip(try #require(found[name]).values(), tensor.values()).map { abs($0 - $1) }
            .max()!
          #expect(difference < 1e-5, "\(name)")
        }
      }
      try write([("x", image), ("y", image)], "\(folder)/two.npz")
      let two = aviary(
        "run", "vae_mnist", "--weights", weights, "--input", "\(folder)/two.npz", "--output", "z.npz")
      #expect(two.status == 2 && two.errors.contains("has no array 'image' but x, y"), "\(two.errors)")
    }
  }

  @Test("small inputs and settings are set by name; one number stands for a batch")
  func sets() throws {
    try withTemporaryFolder { folder in
      let small = [
        "block_out_channels=8,16", "down_block_types=DownBlock2D,AttnDownBlock2D",
        "up_block_types=AttnUpBlock2D,UpBlock2D", "norm_num_groups=4", "layers_per_block=1",
      ]
      let words = small.flatMap { ["--set", $0] }
      var settings: Settings = [:]
      settings["block_out_channels"] = .array([.integer(8), .integer(16)])
      settings["down_block_types"] = .array([.string("DownBlock2D"), .string("AttnDownBlock2D")])
      settings["up_block_types"] = .array([.string("AttnUpBlock2D"), .string("UpBlock2D")])
      settings["norm_num_groups"] = .integer(4)
      settings["layers_per_block"] = .integer(1)
      let loaded = try withRandomSeed(1) {
        try Zoo.untrainedNetwork(try Catalogue.entry("ddpm_cifar10"), settings: settings)
      }
      try WeightFile.write(
        try loaded.network.archive(), to: "\(folder)/unet.safetensors", as: .safetensors)
      let sample = Tensor.normal([2, 3, 8, 8], using: RandomGenerator(seed: 3))
      try write([("sample", sample)], "\(folder)/x.npz")
      func run(_ more: String...) -> Outcome {
        aviary(
          ["run", "ddpm_cifar10", "--weights", "\(folder)/unet.safetensors", "--input", "\(folder)/x.npz"]
            + ["--output", "\(folder)/y.npz"] + words + more)
      }
      for (text, steps) in [("timesteps=7,612", [7, 612]), ("timesteps=7", [7, 7])] {
        let outcome = run("--set", text)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let noise = try #require(try WeightFile.open("\(folder)/y.npz").archive["noise"])
        let timesteps = Tensor(steps.map { Int64($0) }, shape: [2])
        let expected = loaded.network(["sample": sample, "timesteps": timesteps])["noise"]
        #expect(zip(noise.values(), expected.values()).map { abs($0 - $1) }.max()! < 1e-4)
      }
      #expect(run().errors.contains("timesteps is missing, but the network takes N int64 with N = 2"))
      let three = run("--set", "timesteps=1,2,3")
      #expect(three.status == 1 && three.errors.contains("timesteps is 3 int64"), "\(three.errors)")
      let unknown = run("--set", "times=1")
      #expect(unknown.status == 2 && unknown.errors.contains("ddpm_cifar10 has no input or setting times"))
      #expect(
        run("--set", "norm_num_groups=3").errors.contains("block_out_channels is 8, expected multiples of 3"))
      #expect(run("--set", "timesteps").errors.contains("--set takes a name and a value"))
      #expect(run("--set", "timesteps=soon").errors.contains("numbers with commas"))
    }
  }

  @Test("an array whose size contradicts --size is refused")
  func size() throws {
    try withTemporaryFolder { folder in
      let weights = "\(folder)/vww.safetensors"
      try Zoo.untrained(try Catalogue.entry("mobilenet_v1_0.25")).save(to: weights)
      try write([("input", .zeros([1, 3, 160, 160]))], "\(folder)/x.npz")
      func run(_ more: String...) -> Outcome {
        aviary(
          ["run", "mobilenet_v1_0.25", "--weights", weights, "--input", "\(folder)/x.npz", "--output"]
            + ["\(folder)/y.npz"] + more)
      }
      let outcome = run("--size", "224")
      #expect(outcome.status == 2 && outcome.errors.contains("x.npz holds 160×160 pixels, but --size is 224"))
      #expect(run("--size", "160").status == 0)
      #expect(run("--set", "size=224").status == 2)
    }
  }

  @Test("a classifier's command names the right one")
  func wrongTask() {
    for (command, words) in [
      ("predict", ["x.png"]), ("finetune", ["--data", ".", "--output", "x.safetensors"]),
    ] {
      let name = command == "predict" ? "unet_bilinear" : "fast_style"
      let outcome = aviary([command, name] + words + ["--weights", "none.pth"])
      let sentence =
        command == "predict" ? "unet_bilinear segments: aviary segment" : "finetune teaches classifiers"
      #expect(
        outcome.status != 0 && outcome.errors.contains(sentence), "\(command): \(outcome.errors)")
    }
    #expect(
      aviary("evaluate", "fast_style", "--data", ".").errors.contains("fast_style stylizes: aviary stylize"))
    #expect(aviary("bench", "unet", "--train").errors.contains("unet segments: aviary segment"))
    #expect(
      aviary("bench", "charrnn", "--train", "--freeze", "x").errors.contains("charrnn writes: aviary write"))
  }

  @Test("bench takes training steps of language models, with a state that goes on and without")
  func languageSteps() throws {
    for (words, rate, loss) in [
      (["charrnn", "--set", "vocabulary=20", "--set", "width=8", "--set", "embedding=6"], "0.5", log(20)),
      (
        [
          "gpt2", "--set", "vocab_size=30", "--set", "n_embd=16", "--set", "n_head=2", "--set", "n_layer=2",
          "--set", "embd_pdrop=0", "--set", "attn_pdrop=0", "--set", "resid_pdrop=0",
        ], "0.002", log(30)
      ),
    ] as [([String], String, Double)] {
      let outcome = aviary(
        ["bench"] + words + [
          "--train", "--batch", "3", "--tokens", "5", "--repeat", "2", "--learning-rate", rate, "--json",
        ])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      let setup = try #require(report["setup"] as? [String: Any])
      let losses = try #require(setup["losses"] as? [Double])
      #expect(losses.count == 3 && abs(losses[0] - loss) < 0.3 * loss && losses[2] < losses[0], "\(losses)")
      #expect(setup["mode"] as? String == "training" && (setup["multiply_adds"] as? Int ?? 0) > 1000)
    }
    #expect(
      aviary("bench", "gpt2", "--tokens", "4").errors.contains("--tokens makes sense with --train only"))
    #expect(aviary("bench", "lenet", "--train", "--tokens", "4").errors.contains("lenet classifies"))
  }

  @Test("info lists inputs, settings and outputs; bench measures and shows kernels")
  func infoAndBench() throws {
    let info = aviary("info", "charrnn", "--set", "vocabulary=30")
    #expect(info.status == 0, "\(info.errors)")
    for part in [
      "tokens N×T int64 from 0 to 29", "hidden 2×N×128 float32 (optional)",
      "vocabulary=30 (65 in the catalogue)",
      "logits N×T×30 float32", "aviary write",
    ] { #expect(info.output.contains(part), "\(part)") }
    let json = aviary("info", "resnet18", "--json")
    let report = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
    #expect((report?["settings"] as? [String: Int]) == ["classes": 1000, "channels": 3, "size": 224])
    #expect(
      aviary("info", "vae_mnist", "--set", "depth=3").errors.contains(
        "has no setting depth; there are code, hidden, pixels"))
    #expect(
      aviary("info", "vae_mnist", "--set", "code=0").errors.contains(
        "code is 0, expected a whole number from 1"))
    let bench = aviary("bench", "vae_mnist", "--batch", "3", "--repeat", "2", "--json")
    #expect(
      bench.status == 0 && bench.output.contains("\"multiply_adds\" : \(3 * 651_200)"), "\(bench.output)")
    let layers = aviary("bench", "charrnn", "--layers")
    #expect(layers.status == 0 && layers.output.contains("kernels"), "\(layers.errors)")
  }

  @Test("portable files of other tasks say their version, task and settings, and are converted and verified")
  func portable() throws {
    try withSmallVAE { _, weights, folder in
      let metadata = try #require(try WeightFile.open(weights).archive.portable)
      #expect(metadata.formatVersion == 2 && metadata.task == "generation" && metadata.model == "vae_mnist")
      #expect(metadata.configuration == ["pixels": .integer(16), "hidden": .integer(8), "code": .integer(3)])
      #expect(
        metadata.stages?.map(\.name) == [
          "fc1", "fc21", "fc22", "fc3", "fc4", "reconstruction", "mean", "log_variance",
        ])
      let verified = aviary("verify", "vae_mnist", "--weights", weights)
      #expect(verified.status == 0, "\(verified.errors)")
      let npz = "\(folder)/vae.npz"
      let converted = aviary("convert", weights, npz, "--check")
      #expect(converted.status == 0 && converted.output.contains("of vae_mnist"), "\(converted.errors)")
      let inspected = aviary("inspect", npz)
      #expect(inspected.output.contains("model: vae_mnist, dialect pytorch, code=3, hidden=8, pixels=16"))
      let back = aviary("convert", npz, "\(folder)/back.safetensors", "--check")
      #expect(back.status == 0, "\(back.errors)")
      #expect(aviary("verify", "vae_mnist", "--weights", "\(folder)/back.safetensors").status == 0)
      #expect(aviary("verify", "vae_mnist", "--weights", weights, "--against", npz).status == 0)
      // Another network's weights.
      let wrong = aviary("info", "charrnn", "--weights", npz)
      #expect(
        wrong.status == 1
          && wrong.errors.contains("the file holds weights of vae_mnist, but charrnn was asked for"))
      let keras = aviary("convert", npz, "\(folder)/vae.weights.h5")
      #expect(keras.status == 1 && keras.errors.contains("has no counterpart in Keras"), "\(keras.errors)")
    }
  }
}
