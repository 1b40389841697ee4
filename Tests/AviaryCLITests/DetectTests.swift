import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Detecting from the command line")
struct DetectTests {
  /// A small DETR for small pictures; the body is ResNet-50 nonetheless.
  private func write(_ path: String, _ change: (inout WeightArchive) throws -> Void = { _ in }) throws
    -> LoadedNetwork
  {
    let numbers = [
      "hidden_dim": 32, "dim_feedforward": 48, "enc_layers": 1, "dec_layers": 1, "num_queries": 6,
      "num_classes": 3,
    ]
    return try writeWeights(of: "detr_resnet50", numbers.mapValues { .integer($0) }, to: path) { archive in
      archive.portable?.preprocessing?.resizeShorterSide = 64
      archive.portable?.preprocessing?.longestSide = 96
      archive.portable?.labels = ["cat", "dog", "bird"]
      try change(&archive)
    }
  }

  @Test("a table, JSON and a drawing; boxes lie in the picture, the surest first")
  func detect() throws {
    try withTemporaryFolder { folder in
      let (weights, picture) = ("\(folder)/w.safetensors", "\(folder)/dog.png")
      _ = try write(weights)
      try writeNoise(picture, width: 90, height: 70)
      let words = ["detect", "detr_resnet50", "--weights", weights, picture]
      let outcome = aviary(words + ["--threshold", "0", "--output", "\(folder)/drawn.png"])
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      let lines = outcome.output.split(separator: "\n")
      #expect(lines[0] == "\(picture): 6 objects" && lines.count == 9)
      let drawn = try Image(contentsOf: "\(folder)/drawn.png")
      #expect((drawn.width, drawn.height) == (90, 70))
      #expect(try drawn != Image(contentsOf: picture))

      let record = try #require(try aviary(words + ["--threshold", "0", "--json"]).records().first)
      #expect(record["image"] as? String == picture)
      let detections = try #require(record["detections"] as? [[String: Any]])
      let scores = detections.compactMap { $0["score"] as? Double }
      #expect(scores.count == 6 && scores == scores.sorted(by: >))
      for detection in detections {
        let index = try #require(detection["label_index"] as? Int)
        #expect(detection["label"] as? String == ["cat", "dog", "bird"][index])
        let box = try #require(detection["box"] as? [Double])
        #expect(box.count == 4 && 0 <= box[0] && box[0] <= box[2] && box[2] <= 90)
        #expect(0 <= box[1] && box[1] <= box[3] && box[3] <= 70)
      }
      let none = aviary(words + ["--threshold", "1"])
      #expect(none.status == 0 && none.output == "\(picture): no object")
      #expect(aviary(words + ["--threshold", "2"]).status == 2)
      let found = try Zoo.load(Detector.self, "detr_resnet50", weights: weights, execution: .exact)
        .detect(try Image(contentsOf: picture), threshold: 0)
      #expect(zip(found, scores).allSatisfy { abs(Double($0.score) - $1) < 1e-4 })
    }
  }

  @Test("several pictures are drawn to a folder under their names, and a bad one is told")
  func several() throws {
    try withTemporaryFolder { folder in
      let weights = "\(folder)/w.safetensors"
      _ = try write(weights)
      try FileManager.default.createDirectory(atPath: "\(folder)/in", withIntermediateDirectories: true)
      try writeNoise("\(folder)/in/a.jpg", width: 40, height: 30)
      try writeNoise("\(folder)/in/b.png", width: 30, height: 40, seed: 3)
      try Data("no picture".utf8).write(to: URL(filePath: "\(folder)/in/c.png"))
      let outcome = aviary(
        "detect", "detr_resnet50", "--weights", weights, "\(folder)/in/*", "--output", "\(folder)/out",
        "--json")
      #expect(outcome.status == 1)
      #expect(
        outcome.errors
          == "aviary: cannot read \(folder)/in/c.png: it is no PNG, JPEG, WebP, GIF, BMP or TIFF picture")
      let records = try outcome.records()
      #expect(records.count == 3 && records[2]["detections"] is NSNull && records[2]["error"] is String)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: "\(folder)/out").sorted() == ["a.jpg", "b.png"])
      let over = aviary(
        "detect", "detr_resnet50", "--weights", weights, "\(folder)/in", "--output", "\(folder)/in")
      #expect(over.status == 2 && over.errors.contains("would take the place of"))
    }
  }

  @Test("hostile metadata and outputs that are no numbers are told in one sentence")
  func hostile() throws {
    try withTemporaryFolder { folder in
      let (weights, picture) = ("\(folder)/w.safetensors", "\(folder)/dog.png")
      try writeNoise(picture, width: 30, height: 20)
      let words = ["detect", "detr_resnet50", "--weights", weights, picture]
      for (change, sentence) in [
        (
          { $0.portable?.taskSettings = ["score_threshold": .array([])] },
          "aviary: score_threshold is [], expected a number from 0.0 to 1.0"
        ),
        (
          { $0.portable?.preprocessing?.resizeShorterSide = -1 },
          "aviary: the preprocessing does not bring pictures in RGB to a shorter side alone, as DETR needs it"
        ),
        (
          { $0.portable?.labels = ["x"] },
          "aviary: 1 labels are bound to the weights, but detr_resnet50 tells 3 apart"
        ),
        (
          { archive in
            let portable = archive.portable
            let large = Tensor([Float](repeating: 3e38, count: 4 * 32), shape: [4, 32])
            archive = try WeightArchive(
              archive.entries.map { ($0.name, $0.name == "class_embed.weight" ? large : $0.tensor) })
            archive.portable = portable
          }, "aviary: the network's outputs for \(picture) are not numbers"
        ),
      ] as [((inout WeightArchive) throws -> Void, String)] {
        _ = try write(weights, change)
        let outcome = aviary(words)
        #expect(outcome.status == 1 && outcome.output.isEmpty && outcome.errors == sentence)
      }
    }
  }
}

@Suite("Explaining what was detected")
struct ExplainTests {
  /// The steps of a picture's record.
  private func steps(_ words: [String]) throws -> [(part: String, step: String, count: Int)] {
    let outcome = aviary(words + ["--explain", "--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let steps = try #require(try outcome.records().first?["steps"] as? [[String: Any]])
    return try steps.map {
      (
        try #require($0["part"] as? String), try #require($0["step"] as? String),
        try #require($0["count"] as? Int)
      )
    }
  }

  @Test(
    "each step leaves no more than the one before in its part, and the last ones what is told",
    arguments: [
      ("fasterrcnn_scenes", ["proposals", "regions", "objects", "options"]),
      ("yolov8_scenes", ["objects", "options"]),
    ])
  func steps(model: String, parts: [String]) throws {
    try withTemporaryFolder { folder in
      #expect(
        aviary("draw", "scenes", folder, "--count", "6", "--objects", "5", "--size", "96", "--seed", "3")
          .status
          == 0)
      for index in 0..<6 {
        let picture = "\(folder)/pictures/\(index).png"
        let words = [
          "detect", model, picture, "--threshold", "0.2", "--labels", "star,ring,circle", "--iou", "0.3",
          "--max", "2",
        ]
        let steps = try steps(words)
        #expect(steps.map(\.part).reduce(into: [String]()) { if $0.last != $1 { $0.append($1) } } == parts)
        for (one, next) in zip(steps, steps.dropFirst()) where one.part == next.part {
          #expect(next.count <= one.count, "\(steps)")
        }
        let found = try #require(try aviary(words + ["--json"]).records().first?["detections"] as? [Any])
        #expect(steps.last?.count == found.count && steps.last?.step == "--max 2")
        let all = try Zoo.load(Detector.self, model).detect(try Image(contentsOf: picture), threshold: 0.2)
        let told = steps.last { $0.part == "objects" }
        #expect(told?.count == all.count)
        if model == "fasterrcnn_scenes" {
          // Four levels of a picture of 96×96 with strides of 4 to 32, six anchors at each place.
          #expect(steps[0].step == "anchors" && steps[0].count % 6 == 0)
          #expect(steps.first { $0.part == "objects" }?.count == steps.last { $0.part == "regions" }?.count)
        } else {
          #expect(steps[0].count == 12 * 12 + 6 * 6 + 3 * 3)
        }
      }
    }
  }

  @Test("DETR has its queries, a network of darknet's its boxes; slices are refused")
  func others() throws {
    try withTemporaryFolder { folder in
      let (weights, picture) = ("\(folder)/w.safetensors", "\(folder)/p.png")
      try writeNoise(picture, width: 40, height: 30)
      let numbers = [
        "hidden_dim": 32, "dim_feedforward": 48, "enc_layers": 1, "dec_layers": 1, "num_queries": 6,
        "num_classes": 3,
      ]
      try writeWeights(of: "detr_resnet50", numbers.mapValues { .integer($0) }, to: weights) { archive in
        archive.portable?.preprocessing?.resizeShorterSide = 64
        archive.portable?.preprocessing?.longestSide = 96
        archive.portable?.labels = ["cat", "dog", "bird"]
      }
      let steps = try steps(["detect", "detr_resnet50", "--weights", weights, picture, "--threshold", "0"])
      #expect(steps.map(\.count) == [6, 6] && steps.map(\.step) == ["queries", "scores above 0.0"])
      let text = aviary(
        "detect", "detr_resnet50", "--weights", weights, picture, "--explain", "--threshold", "1")
      #expect(text.output.contains("no object") && text.output.contains("queries"), "\(text.output)")
      let sliced = aviary("detect", "yolov8_scenes", picture, "--explain", "--slice", "32")
      #expect(sliced.status == 2 && sliced.errors.contains("goes not with --slice"))
    }
  }
}
