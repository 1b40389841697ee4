import Aviary
import Foundation
import Testing

@testable import AviaryCLI

/// Pictures as users have them: in folders, some of them damaged, named in other ways than the weights name their classes.
@Suite("Commands on pictures")
struct PictureCommandTests {
  private func draw(_ folder: String, count: Int = 3) {
    #expect(aviary("draw", "digits", folder, "--count", "\(count)").status == 0)
  }

  private func json(_ outcome: Outcome) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
  }

  @Test("predict keeps the others' results when one picture is bad, and takes folders and patterns")
  func predict() throws {
    try withTemporaryFolder { folder in
      draw("\(folder)/digits", count: 2)
      let bad = "\(folder)/digits/3/3-0.png"
      try Data("no picture".utf8).write(to: URL(filePath: bad))
      try Data("notes".utf8).write(to: URL(filePath: "\(folder)/digits/3/notes.txt"))
      let named = aviary("predict", "lenet", "--top", "1", bad, "\(folder)/digits/7/7-0.png")
      #expect(named.status == 1)
      #expect(
        named.errors == "aviary: cannot read \(bad): it is no PNG, JPEG, WebP, GIF, BMP or TIFF picture")
      #expect(named.output.hasPrefix("\(folder)/digits/7/7-0.png\n") && named.output.hasSuffix("%  7"))

      let whole = aviary("predict", "lenet", "\(folder)/digits", "--json")
      #expect(whole.status == 1 && whole.errors.contains("20 pictures; left out: 1 .txt"))
      let predictions = try #require(try json(whole) as? [[String: Any]])
      #expect(predictions.count == 20)
      let failed = predictions.filter { $0["error"] != nil }
      #expect(failed.map { $0["image"] as? String } == [bad] && failed.first?["top"] is NSNull)
      let pattern = aviary("predict", "lenet", "--top", "1", "\(folder)/digits/[78]/*-1.png")
      #expect(pattern.status == 0 && pattern.output.split(separator: "\n").count == 4)
      #expect(aviary("predict", "lenet", "\(folder)/none*").errors.contains("none*: No such file"))
      try FileManager.default.createDirectory(atPath: "\(folder)/empty", withIntermediateDirectories: true)
      let empty = aviary("predict", "lenet", "\(folder)/empty", "\(folder)/digits/7/7-0.png")
      #expect(empty.status == 1 && empty.errors.contains("holds no pictures"))
      #expect(empty.output.hasPrefix("\(folder)/digits/7/7-0.png"))
    }
  }

  @Test("evaluate matches folders with the weights' classes by name, and refuses strangers by name")
  func evaluate() throws {
    try withTemporaryFolder { folder in
      draw("\(folder)/all", count: 4)
      // Two of ten classes, one of them with an eight in it.
      for digit in ["3", "8"] {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/some", withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "\(folder)/all/\(digit)", toPath: "\(folder)/some/\(digit)")
      }
      try FileManager.default.copyItem(
        atPath: "\(folder)/all/8/8-0.png", toPath: "\(folder)/some/3/x.png")
      try Data().write(to: URL(filePath: "\(folder)/some/8/y.webp"))
      try Data().write(to: URL(filePath: "\(folder)/some/8/z.txt"))
      let outcome = aviary("evaluate", "lenet", "--data", "\(folder)/some", "--json")
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains("10 pictures in 2 classes; left out: 1 .txt"))
      #expect(outcome.errors.contains("y.webp"))
      let report = try #require(try json(outcome) as? [String: Any])
      #expect(report["count"] as? Int == 9 && (report["errors"] as? [String])?.count == 1)
      #expect(report["left_out"] as? [String: Int] == [".txt": 1])
      let classes = try #require(report["classes"] as? [[String: Any]])
      #expect(classes.map { $0["name"] as? String } == ["3", "8"])
      #expect(classes.map { $0["output"] as? Int } == [3, 8])
      #expect(classes.map { $0["count"] as? Int } == [5, 4])
      let confusion = try #require(report["confusion"] as? [String: Any])
      #expect((confusion["counts"] as? [[Int]])?.flatMap(\.self).reduce(0, +) == 9)

      let text = aviary("evaluate", "lenet", "--data", "\(folder)/some")
      #expect(text.output.hasPrefix("accuracy ") && text.output.contains("taken for"))
      // One class is enough for that.
      try FileManager.default.moveItem(atPath: "\(folder)/some/3", toPath: "\(folder)/three")
      try FileManager.default.removeItem(atPath: "\(folder)/some/8/y.webp")
      #expect(aviary("evaluate", "lenet", "--data", "\(folder)/some").status == 0)
      try FileManager.default.moveItem(atPath: "\(folder)/three", toPath: "\(folder)/some/zebra")
      let stranger = aviary("evaluate", "lenet", "--data", "\(folder)/some")
      #expect(stranger.status == 1 && stranger.output.isEmpty)
      #expect(
        stranger.errors
          == "aviary: the weights know no class zebra; their 10 are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9")
    }
  }

  @Test("finetune says what it takes and what it leaves out, and is not ended by a damaged picture")
  func finetune() throws {
    try withTemporaryFolder { folder in
      #expect(aviary("draw", "shapes", "\(folder)/shapes", "--count", "4").status == 0)
      for name in ["square", "triangle"] {
        try FileManager.default.removeItem(atPath: "\(folder)/shapes/\(name)")
      }
      let cut = "\(folder)/shapes/cross/cross-1.png"
      let bytes = try #require(FileManager.default.contents(atPath: cut))
      try bytes.prefix(bytes.count / 2).write(to: URL(filePath: cut))
      try Data().write(to: URL(filePath: "\(folder)/shapes/cross/x.avif"))
      let words = [
        "finetune", "lenet", "--data", "\(folder)/shapes", "--epochs", "1", "--output",
        "\(folder)/out.safetensors",
      ]
      let outcome = aviary(words)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.hasPrefix("7 pictures in 2 classes: circle, cross\n"))
      #expect(outcome.errors.contains("left out: cannot read \(cut): it is damaged"))
      #expect(outcome.errors.contains("7 pictures in 2 classes; left out: 1 .avif, 1 damaged"))
      #expect(aviary(words + ["--json"]).errors.contains("left out: 1 .avif, 1 damaged"))
    }
  }

  @Test("outputs that are no numbers are said to be none")
  func noNumbers() throws {
    try withTemporaryFolder { folder in
      draw("\(folder)/digits", count: 1)
      let weights = "\(folder)/large.safetensors"
      let model = try Zoo.load("lenet")
      // Finite, but no sum of products with them is.
      let large = [Float](repeating: 3e38, count: 10 * 84)
      let archive = try WeightArchive(
        model.model.stateEntries.map { entry in
          (entry.name, entry.name == "fc3.weight" ? Tensor(large, shape: [10, 84]) : entry.value)
        })
      try WeightFile.write(archive, to: weights, as: .safetensors)
      let picture = "\(folder)/digits/1/1-0.png"
      let outcome = aviary("predict", "lenet", "--weights", weights, picture)
      #expect(outcome.status == 1 && outcome.output.isEmpty)
      #expect(outcome.errors == "aviary: the network's outputs for \(picture) are not numbers")
      let predictions = try json(aviary("predict", "lenet", "--weights", weights, picture, "--json"))
      #expect((predictions as? [[String: Any]])?.first?["top"] is NSNull)
      let evaluation = aviary(
        "evaluate", "lenet", "--weights", weights, "--data", "\(folder)/digits", "--json")
      #expect(evaluation.status == 1 && evaluation.errors.contains("10 of 10 examples are not numbers"))
      #expect((try json(evaluation) as? [String: Any])?["loss"] is NSNull)
    }
  }

  @Test(
    "a file whose preprocessing does not suit its network is refused before memory is taken",
    arguments: [
      (1000, 1000, nil), (16_000, 16_000, nil), (50_000, 50_000, nil), (28, 28, 50_000), (1, 1, nil),
    ] as [(Int, Int, Int?)])
  func preprocessing(height: Int, width: Int, short: Int?) throws {
    try withTemporaryFolder { folder in
      draw("\(folder)/digits", count: 1)
      let weights = "\(folder)/odd.safetensors"
      var archive = try Zoo.load("lenet").archive()
      archive.portable?.preprocessing?.height = height
      archive.portable?.preprocessing?.width = width
      archive.portable?.preprocessing?.resizeShorterSide = short
      try WeightFile.write(archive, to: weights, as: .portable)
      let picture = "\(folder)/digits/1/1-0.png"
      CachingAllocator.resetPeak()
      let before = CachingAllocator.statistics.peak
      for words in [["predict", "lenet", picture], ["evaluate", "lenet", "--data", "\(folder)/digits"]] {
        let outcome = aviary(words + ["--weights", weights])
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("the preprocessing of these weights makes a picture of"))
        #expect(!outcome.errors.contains("\n") && outcome.errors.contains("takes 28×28"))
      }
      #expect(CachingAllocator.statistics.peak - before < 10_000_000)
    }
  }
}
