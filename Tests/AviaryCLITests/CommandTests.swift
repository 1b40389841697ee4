import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Commands")
struct CommandTests {
  @Test(
    "every command has help with an example, and the overview lists it",
    arguments: Program.commands.map { $0.name })
  func help(name: String) {
    let outcome = aviary(name, "--help")
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("Example: aviary \(name)"))
    #expect(aviary("help").output.contains("  \(name) "))
  }

  @Test("list shows every model, as text and as JSON")
  func list() throws {
    let outcome = aviary("list")
    for entry in Catalogue.entries { #expect(outcome.output.contains(entry.name)) }
    let json =
      try JSONSerialization.jsonObject(with: Data(aviary("list", "--json").output.utf8)) as? [[String: Any]]
    #expect(json?.count == Catalogue.entries.count)
  }

  @Test("info shows published counts and what is frozen")
  func info() throws {
    let outcome = aviary("info", "vgg19", "--freeze", "block1...block3", "--json")
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    let summary = try #require(json["summary"] as? [String: Any])
    #expect(summary["parameters"] as? Int == 143_667_240)
    let rows = try #require(summary["rows"] as? [[String: Any]])
    let frozen = rows.filter { $0["is_frozen"] as? Bool == true }
    #expect(frozen.count == 2 + 2 + 4)
    #expect(frozen.last?["name"] as? String == "features.16")
  }

  @Test("bench counts the passes of a training step")
  func bench() throws {
    func multiplyAdds(_ options: String...) throws -> Int {
      let outcome = aviary(["bench", "lenet", "--batch", "2", "--repeat", "2", "--json"] + options)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let json = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
      #expect(json?["iterations"] as? Int == 2)
      #expect(try #require(json?["median_milliseconds"] as? Double) > 0)
      return try #require((json?["setup"] as? [String: Any])?["multiply_adds"] as? Int)
    }
    let entry = try Catalogue.entry("lenet")
    let summary = Summary(of: try entry.makeModel(), inputShape: [2] + (try entry.card().input))
    let counts = summary.rows.map(\.multiplyAdds).filter { $0 > 0 }
    #expect(try multiplyAdds() == summary.multiplyAdds)
    // No gradient of the input; and before the first trained operation, of nothing.
    #expect(try multiplyAdds("--train") == 3 * summary.multiplyAdds - counts[0])
    #expect(
      try multiplyAdds("--train", "--freeze", "block1") == 3 * summary.multiplyAdds - 2 * counts[0]
        - counts[1])
    #expect(aviary("bench", "lenet", "--freeze", "block1").status == 2)
  }

  @Test("draw, finetune with frozen blocks, predict in a new model, convert to Keras and back")
  func transfer() throws {
    try withTemporaryFolder { folder in
      #expect(aviary("draw", "shapes", "\(folder)/shapes", "--count", "20").status == 0)
      let weights = "\(folder)/shapes.safetensors"
      let tuned = aviary(
        "finetune", "lenet", "--data", "\(folder)/shapes", "--freeze", "block1...block2", "--head", "32,4",
        "--epochs",
        "4", "--learning-rate", "0.003", "--output", weights)
      #expect(tuned.status == 0, "\(tuned.errors)")

      // Frozen tensors are those of the shipped weights, bit for bit.
      let original = try Zoo.load("lenet").archive()
      let changed = try WeightFile.open(weights).archive
      for name in ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"] {
        #expect(changed[name]?.values() == original[name]?.values())
      }
      #expect(changed["fc1.weight"]?.values() != original["fc1.weight"]?.values())
      #expect(changed.portable?.labels == ["circle", "cross", "square", "triangle"])

      #expect(
        aviary("predict", "lenet", "--weights", weights, "\(folder)/shapes/cross/cross-0.png").status == 0)
      let keras = "\(folder)/shapes.h5"
      #expect(aviary("convert", weights, keras).status == 0)
      #expect(aviary("convert", keras, "\(folder)/back.safetensors").status == 0)
      #expect(
        FileManager.default.contents(atPath: weights)
          == FileManager.default.contents(atPath: "\(folder)/back.safetensors"))
    }
  }

  @Test("finetune keeps the model's form of head for other classes and channels, and says so")
  func adaptation() throws {
    try withTemporaryFolder { folder in
      #expect(aviary("draw", "shapes", "\(folder)/shapes", "--count", "8").status == 0)
      let weights = "\(folder)/shapes.safetensors"
      let tuned = aviary(
        "finetune", "lenet", "--data", "\(folder)/shapes", "--classes", "4", "--channels", "3", "--epochs",
        "1",
        "--output", weights)
      #expect(tuned.status == 0, "\(tuned.errors)")
      #expect(tuned.errors.contains("a new head for 4 classes: fc3"))
      #expect(tuned.errors.contains("3 input channels instead of 1"))
      let loaded = try Zoo.load("lenet", weights: weights)
      #expect(
        loaded.labels == ["circle", "cross", "square", "triangle"] && loaded.inputShape == [3, 28, 28])
      #expect(
        loaded.changes.isEmpty && !(loaded.model is TransferModel) && loaded.preprocessing.channels == .rgb)
      let picture = "\(folder)/shapes/cross/cross-0.png"
      #expect(aviary("predict", "lenet", "--weights", weights, picture).status == 0)
      #expect(aviary("info", "lenet", "--classes", "7", "--channels", "2").output.contains("1×2×28×28 → 1×7"))
    }
  }

  @Test("run writes logits that equal the model's")
  func run() throws {
    try withTemporaryFolder { folder in
      let input = Tensor.uniform([2, 1, 28, 28], using: RandomGenerator(seed: 1))
      try WeightFile.write(try WeightArchive([("input", input)]), to: "\(folder)/x.npz", as: .npz)
      let outcome = aviary(
        "run", "lenet", "--input", "\(folder)/x.npz", "--output", "\(folder)/y.npz", "--exact")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let logits = try WeightFile.open("\(folder)/y.npz").archive["logits"]
      let expected = try withExactArithmetic { try Zoo.load("lenet").model(input) }
      #expect(logits?.values() == expected.values())
    }
  }

  @Test("an input that is not finite is refused, and with a switch reaches the logits")
  func runWithoutNumbers() throws {
    try withTemporaryFolder { folder in
      var input = Tensor.zeros([1, 1, 28, 28])
      input.withUnsafeMutableValues { $0[5] = .nan }
      let (source, target) = ("\(folder)/x.npz", "\(folder)/y.npz")
      try WeightFile.write(try WeightArchive([("input", input)]), to: source, as: .npz)
      let refused = aviary("run", "lenet", "--input", source, "--output", target)
      #expect(
        refused.status == 1
          && refused.errors.contains("1 value is not finite, the first is NaN at [0, 0, 0, 5]"))
      #expect(!FileManager.default.fileExists(atPath: target))
      #expect(aviary("run", "lenet", "--input", source, "--output", target, "--allow-nonfinite").status == 0)
      #expect(try WeightFile.open(target).archive["logits"]?.values().allSatisfy { $0.isNaN } == true)
    }
  }
}

@Suite("Command lines that cannot work")
struct ErrorTests {
  /// One clear sentence on stderr, a status other than 0, and no file.
  private func expectError(_ outcome: Outcome, _ status: Int32, _ part: String, output: String? = nil) {
    #expect(outcome.status == status, "\(outcome.errors)")
    #expect(outcome.errors.hasPrefix("aviary: ") && outcome.errors.contains(part), "\(outcome.errors)")
    if let output { #expect(!FileManager.default.fileExists(atPath: output)) }
  }

  @Test("names")
  func names() {
    expectError(aviary("predict", "resnet5O", "x.png"), 1, "did you mean resnet50?")
    expectError(aviary("predcit", "lenet"), 2, "did you mean predict?")
    expectError(aviary("predict", "lenet", "x.png", "--weight", "f"), 2, "did you mean --weights?")
    expectError(aviary("predict", "resnet50", "x.png"), 1, "--weights")
    expectError(aviary("predict", "lenet"), 2, "usage: aviary predict MODEL IMAGE...")
    expectError(aviary("predict", "lenet", "no.png"), 1, "no.png")
    expectError(aviary("info", "vgg19", "--freeze", "block9"), 1, "block5")
    expectError(aviary("run", "lenet", "--input", "x.npy"), 2, "--output is missing")
    expectError(aviary("pull", "lenet", "--offline", "--force"), 2, "only one")
    expectError(aviary("bundle", "lenet"), 2, "--output FOLDER")
  }

  @Test("damaged and wrong files")
  func files() throws {
    try withTemporaryFolder { folder in
      let good = try Zoo.load("lenet")
      let path = "\(folder)/lenet.safetensors"
      try good.save(to: path)
      var bytes = [UInt8](try #require(FileManager.default.contents(atPath: path)))
      func write(_ bytes: some Sequence<UInt8>, _ name: String) -> String {
        _ = FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: Data(bytes))
        return "\(folder)/\(name)"
      }
      let output = "\(folder)/out.safetensors"
      expectError(
        aviary("convert", write(bytes.dropLast(100), "cut"), output), 1, "truncated", output: output)
      bytes[bytes.count - 5] ^= 4
      expectError(aviary("predict", "lenet", "--weights", write(bytes, "flipped"), "x.png"), 1, "SHA-256")
      expectError(aviary("predict", "alexnet", "--weights", path, "x.png"), 1, "weights of lenet")
      expectError(aviary("predict", "lenet", "--weights", path, write("P5".utf8, "x.png")), 1, "x.png")
      expectError(
        aviary("run", "lenet", "--weights", path, "--input", path, "--output", output), 2, "input",
        output: output)

      let array = Tensor.zeros([1, 3, 28, 28])
      try WeightFile.write(try WeightArchive([("input", array)]), to: "\(folder)/x.npz", as: .npz)
      expectError(
        aviary("run", "lenet", "--weights", path, "--input", "\(folder)/x.npz", "--output", output), 1,
        "1×3×28×28",
        output: output)
      expectError(aviary("convert", path, "/no/such/folder/x.h5"), 1, "/no/such/folder/x.h5")
      expectError(aviary("convert", path, "\(folder)/x.what"), 2, "--to")
      expectError(aviary("convert", path, "\(folder)/x.npz", "--dtype", "f64"), 2, "f64")
    }
  }

  @Test("folders of pictures")
  func folders() throws {
    try withTemporaryFolder { folder in
      let output = "\(folder)/out.safetensors"
      func finetune(_ more: String...) -> Outcome {
        let words = ["finetune", "lenet", "--output", output] + more
        return aviary(words)
      }
      expectError(finetune("--data", "\(folder)/no"), 1, "there is no folder", output: output)
      _ = aviary("draw", "shapes", "\(folder)/shapes", "--count", "3")
      try FileManager.default.createDirectory(atPath: "\(folder)/one", withIntermediateDirectories: true)
      try FileManager.default.moveItem(atPath: "\(folder)/shapes/cross", toPath: "\(folder)/one/cross")
      expectError(finetune("--data", "\(folder)/one"), 1, "only cross", output: output)
      expectError(finetune("--data", "\(folder)/shapes", "--head", "8,7"), 2, "3 in", output: output)
      expectError(finetune("--data", "\(folder)/shapes", "--classes", "7"), 2, "has 3", output: output)
      expectError(
        finetune("--data", "\(folder)/shapes", "--classes", "3", "--head", "3"), 2, "--head", output: output)
      expectError(finetune("--data", "\(folder)/shapes", "--size", "32"), 1, "28×28 only", output: output)
      expectError(
        finetune("--data", "\(folder)/shapes", "--channels", "2"), 1, "pictures have 1 or 3", output: output)
      expectError(finetune("--data", "\(folder)/shapes", "--epochs", "many"), 2, "--epochs", output: output)
    }
  }
}
