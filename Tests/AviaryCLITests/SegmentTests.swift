import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Segmenting from the command line")
struct SegmentTests {
  @Test("a mask, an overlay and probabilities of one picture, to files")
  func one() throws {
    try withTemporaryFolder { folder in
      let (weights, picture) = ("\(folder)/w.safetensors", "\(folder)/eye.png")
      let loaded = try writeWeights(of: "unet_drive", to: weights)
      try writeNoise(picture, width: 50, height: 37)
      let result = try Segmenter(loaded, execution: .exact).segment(try Image(contentsOf: picture))
      let outcome = aviary(
        "segment", "unet_drive", "--weights", weights, picture, "--exact", "--output", "\(folder)/mask.png",
        "--overlay", "\(folder)/o.jpg", "--probabilities", "\(folder)/p.npz")
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      let lines = outcome.output.split(separator: "\n").map(String.init)
      #expect(lines[0] == "\(picture): 50×37 pixels" && lines.count == 5)
      #expect(lines[3].hasPrefix("background") && lines[4].hasPrefix("vessel"))
      #expect(try Image(contentsOf: "\(folder)/mask.png") == result.map.mask())
      #expect(try Image(contentsOf: "\(folder)/o.jpg").width == 50)
      let stored = try WeightFile.open("\(folder)/p.npz").archive
      #expect(stored.names == ["probabilities"] && stored.spec("probabilities")?.shape == [2, 37, 50])
      #expect(stored["probabilities"]?.values() == result.probabilities.values())

      let json = try aviary(
        "segment", "unet_drive", "--weights", weights, picture, "--json", "--probabilities",
        "\(folder)/p.png", "--output", "\(folder)/c.png", "--coloured"
      ).records()
      let record = try #require(json.first)
      #expect(record["width"] as? Int == 50 && record["height"] as? Int == 37)
      let classes = try #require(record["classes"] as? [[String: Any]])
      #expect(classes.map { $0["label"] as? String } == ["background", "vessel"])
      #expect(classes.map { $0["label_index"] as? Int } == [0, 1])
      let pixels: [Int] = classes.compactMap { $0["pixels"] as? Int }
      #expect(pixels.reduce(0, +) == 1850)
      #expect(try Image(contentsOf: "\(folder)/p.png").model == .grey)
      #expect(try Image(contentsOf: "\(folder)/c.png").model == .rgb)
      for words in [["--eager"], ["--eager", "--exact"], ["--precision", "f32"]] {
        let other = aviary(["segment", "unet_drive", "--weights", weights, picture] + words)
        #expect(other.status == 0 && other.output.hasPrefix(lines[0]))
      }
    }
  }

  @Test(
    "several pictures go to folders under their names, a bad one is told, and the truth is looked up by name")
  func several() throws {
    try withTemporaryFolder { folder in
      let weights = "\(folder)/w.safetensors"
      try writeWeights(of: "unet", ["n_classes": .integer(3)], to: weights) {
        $0.portable?.labels = ["a", "b", "c"]
      }
      for name in ["in", "truth"] {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
      }
      try writeNoise("\(folder)/in/x.jpg", width: 20, height: 18)
      try writeNoise("\(folder)/in/y.png", width: 17, height: 33, seed: 7)
      try Data("no picture".utf8).write(to: URL(filePath: "\(folder)/in/z.png"))
      let words = ["segment", "unet", "--weights", weights, "\(folder)/in", "--output", "\(folder)/out"]
      let outcome = aviary(words)
      #expect(outcome.status == 1)
      #expect(outcome.errors.hasPrefix("aviary: cannot read \(folder)/in/z.png: it is no PNG"))
      #expect(
        outcome.output.contains("x.jpg: 20×18 pixels") && outcome.output.contains("y.png: 17×33 pixels"))
      let masks = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/out").sorted()
      #expect(masks == ["x.png", "y.png"])
      let map = try Image(contentsOf: "\(folder)/out/y.png")
      #expect(map.model == .grey && Set(map.pixels).isSubset(of: [0, 1, 2]))

      // What was found is the truth of one, and of the other but for a pixel that does not count.
      try Image(contentsOf: "\(folder)/out/x.png").write(to: "\(folder)/truth/x.png")
      var other = map
      other[0, 0] = LabelMap.ignored
      try other.write(to: "\(folder)/truth/y.png")
      try FileManager.default.removeItem(atPath: "\(folder)/in/z.png")
      let compared = aviary(words + ["--truth", "\(folder)/truth"])
      #expect(compared.status == 0, "\(compared.errors)")
      #expect(
        compared.output.contains("all pictures together") && compared.output.contains("pixel accuracy 1.0000")
      )
      let records = try aviary(words + ["--truth", "\(folder)/truth", "--json"]).records()
      #expect(records.map { $0["pixel_accuracy"] as? Double } == [1, 1])
      let confusion = try #require(records[1]["confusion"] as? [[Int]])
      let counted: Int = confusion.joined().reduce(0, +)
      #expect(counted == 560)
      try FileManager.default.removeItem(atPath: "\(folder)/truth/y.png")
      let missing = aviary(words + ["--truth", "\(folder)/truth"])
      #expect(missing.status == 1 && missing.errors.contains("y.png: the folder of --truth has not one"))

      let many = aviary(words.dropLast() + ["\(folder)/m.png"])
      #expect(many.status == 2 && many.errors.contains("--output takes a folder for 2 pictures"))
      let same = aviary(words.dropLast() + ["\(folder)/in"])
      #expect(same.status == 2 && same.errors.contains("--output would take the place of \(folder)/in/y.png"))
      let both = aviary(words + ["--overlay", "\(folder)/out/"])
      #expect(both.status == 2 && both.errors.contains("--output and --overlay would both write"))
      let twice = aviary(words + ["\(folder)/in/x.jpg"])
      #expect(twice.status == 2 && twice.errors.contains("and again for"))
      let lossy = aviary(words.dropLast() + ["\(folder)/m.jpg"])
      #expect(lossy.status == 2 && lossy.errors.contains("ends in .png"))
    }
  }

  @Test("a mask is a truth as well as labels are, and another size or palette is told")
  func truth() throws {
    try withTemporaryFolder { folder in
      let (weights, picture) = ("\(folder)/w.safetensors", "\(folder)/eye.png")
      try writeWeights(of: "unet_drive", to: weights)
      try writeNoise(picture, width: 24, height: 20)
      let words = ["segment", "unet_drive", "--weights", weights, picture]
      #expect(aviary(words + ["--output", "\(folder)/mask.png"]).status == 0)
      let mask = aviary(words + ["--truth", "\(folder)/mask.png"])
      #expect(
        mask.output.contains("pixel accuracy 1.0000; the truth was read as a mask: 128 and more is vessel"))
      let labels = LabelMap(mask: try Image(contentsOf: "\(folder)/mask.png"))
      try labels.picture.write(to: "\(folder)/labels.png")
      let read = aviary(words + ["--truth", "\(folder)/labels.png"])
      #expect(read.output.contains("pixel accuracy 1.0000; the truth was read as labels"))
      try writeNoise("\(folder)/small.png", width: 8, height: 8)
      let small = aviary(words + ["--truth", "\(folder)/small.png"])
      #expect(
        small.status == 1 && small.errors.hasSuffix("small.png has 8×8 pixels, but \(picture) has 24×20"))
    }
  }

  @Test("networks for other tasks are sent to their commands, also without weights")
  func tasks() {
    for (words, answer) in [
      (["segment", "resnet50"], "resnet50 classifies: aviary predict"),
      (["predict", "unet"], "unet segments: aviary segment"),
      (["detect", "unet"], "unet segments: aviary segment"),
      (["segment", "detr_resnet50"], "detr_resnet50 detects: aviary detect"),
      (["predict", "detr_resnet50"], "detr_resnet50 detects: aviary detect"),
    ] {
      let outcome = aviary(words + ["x.png"])
      #expect(outcome.status == 1 && outcome.errors == "aviary: \(answer)")
    }
    #expect(aviary("segment", "unet", "x.png").errors.contains("there are no weights of unet here"))
    #expect(aviary("segment", "unet").status == 2)
  }

  @Test(
    "hostile metadata, pictures that are too small and outputs that are no numbers are told in one sentence")
  func hostile() throws {
    try withTemporaryFolder { folder in
      let (weights, picture) = ("\(folder)/w.safetensors", "\(folder)/eye.png")
      try writeNoise(picture, width: 12, height: 40)
      let words = ["segment", "unet_drive", "--weights", weights, picture]
      try writeWeights(of: "unet_drive", to: weights) {
        $0.portable?.taskSettings = ["size_multiple": .bool(true)]
      }
      let wrong = aviary(words)
      #expect(wrong.status == 1 && wrong.output.isEmpty)
      #expect(wrong.errors == "aviary: size_multiple is true, expected a whole number from 1 to 1024")
      try writeWeights(of: "unet_drive", to: weights) { $0.portable?.labels = ["x", "y", "z"] }
      #expect(aviary(words).errors.hasPrefix("aviary: 3 labels are bound to the weights"))
      // Finite, but no sum of products with them is.
      try writeWeights(of: "unet_drive", to: weights) { archive in
        let large = Tensor([Float](repeating: 3e38, count: 64), shape: [2, 32, 1, 1])
        let portable = archive.portable
        archive = try WeightArchive(
          archive.entries.map { ($0.name, $0.name == "conv11.weight" ? large : $0.tensor) })
        archive.portable = portable
      }
      let infinite = aviary(words + ["--json"])
      #expect(infinite.status == 1)
      #expect(infinite.errors == "aviary: the network's outputs for \(picture) are not numbers")
      #expect(try infinite.records().first?["classes"] is NSNull)
      try writeWeights(of: "unet_bilinear", to: weights)
      let small = aviary("segment", "unet_bilinear", "--weights", weights, picture)
      #expect(small.status == 1 && small.errors.contains("\(picture): image is 1×3×40×12"))
      #expect(!small.errors.contains("\n"))
    }
  }
}

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

/// Published weights on the first picture of DRIVE's test set.
@Suite(
  "Segmenting with real weights",
  .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
struct SegmentAssetTests {
  @Test("vessels of a retina: Dice 0.824, 97.3 % of the pixels, from each form of the weights the same mask")
  func retina() throws {
    let assets = try #require(assets)
    let picture = "\(assets)/images/retina_0_input.png"
    let (keras, torch) = (
      "\(assets)/weights/retina_unet_drive_best.h5", "\(assets)/weights/retina_unet_drive.pth"
    )
    try withTemporaryFolder { folder in
      func mask(_ weights: String, _ words: String...) throws -> Image {
        let outcome = aviary(
          ["segment", "unet_drive", "--weights", weights, picture, "--output", "\(folder)/mask.png"] + words)
        #expect(outcome.status == 0, "\(outcome.errors)")
        return try Image(contentsOf: "\(folder)/mask.png")
      }
      let outcome = aviary(
        "segment", "unet_drive", "--weights", keras, picture, "--output", "\(folder)/mask.png", "--overlay",
        "\(folder)/o.png", "--truth", "\(assets)/images/retina_0_truth.png", "--json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let record = try #require(try outcome.records().first)
      let classes = try #require(record["classes"] as? [[String: Any]])
      #expect(abs(try #require(classes[1]["dice"] as? Double) - 0.824) < 5e-4)
      #expect(abs(try #require(record["pixel_accuracy"] as? Double) - 0.973) < 5e-4)
      #expect(classes[1]["label"] as? String == "vessel")
      #expect(classes.allSatisfy { $0["iou"] is Double })
      let first = try Image(contentsOf: "\(folder)/mask.png")
      #expect((first.width, first.height) == (565, 584))
      #expect(try Image(contentsOf: "\(folder)/o.png").model == .rgb)
      #expect(try mask(torch) == first)

      let portable = "\(folder)/x.safetensors"
      let converted = aviary("convert", keras, portable, "--check")
      #expect(converted.status == 0 && converted.output.contains("bit-equal"), "\(converted.errors)")
      #expect(try mask(portable) == first)
      #expect(aviary("verify", "unet_drive", "--weights", portable).status == 0)
      let back = aviary("convert", portable, "\(folder)/y.h5", "--model", "unet_drive", "--check")
      #expect(back.status == 0, "\(back.errors)")
      #expect(try mask("\(folder)/y.h5") == first)
    }
  }
}
