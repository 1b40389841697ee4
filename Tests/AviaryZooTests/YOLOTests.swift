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

/// Full-size networks with deterministic weights against their reference (`tools/reference/yolo_fixtures.py`).
@Suite("YOLO v5 and v8 against their reference")
struct YOLOTests {
  private static let expected = try! GoldenFile(
    Bundle.module.url(forResource: "yolo", withExtension: "safetensors", subdirectory: "Fixtures")!)
  private static let networks = [
    "yolov5n", "yolov5s", "yolov5m", "yolov5nu", "yolov8n", "yolov8s", "yolov8m",
  ]

  private func expected(_ name: String) throws -> Tensor { try #require(Self.expected[name], "\(name)") }

  private func filled(_ name: String) throws -> YOLO {
    let network = try #require(try Zoo.untrainedNetwork(try Catalogue.entry(name)).network as? YOLO)
    for entry in network.stateEntries where !entry.isFixed && !entry.name.hasSuffix("anchors") {
      let values = DeterministicWeights.torch(entry.name, shape: entry.shape, spread: 0.75)
      entry.value = Tensor(values, shape: entry.shape)
    }
    return network
  }

  @Test("predictions and numbers of parameters", arguments: networks)
  func predictions(_ name: String) throws {
    let network = try filled(name)
    #expect(network.parameterCount == Int(try expected("\(name).parameters").values(of: Int64.self)[0]))
    let images = Tensor(DeterministicWeights.image(shape: [1, 3, 64, 96]), shape: [1, 3, 64, 96])
    let wanted = try expected("\(name).predictions")
    let eager = network(["images": images])["predictions"]
    #expect(relativeDifference(eager.sliced(1, 0..<wanted.shape[1]), wanted) < 1e-4)
    let compiled = SharedNetwork(network)(images)
    #expect(relativeDifference(compiled.sliced(1, 0..<wanted.shape[1]), wanted) < 1e-4)
  }

  @Test("the parts of the loss and its gradient, with a picture without objects among three")
  func loss() throws {
    let boxes = try expected("loss.boxes").values()
    let labels = try expected("loss.labels").values(of: Int64.self).map { Int($0) }
    var next = 0
    let instances = try expected("loss.counts").values(of: Int64.self).map { count in
      (0..<Int(count)).map { _ -> Instance in
        defer { next += 1 }
        return Instance(
          box: Box(
            x1: boxes[4 * next], y1: boxes[4 * next + 1], x2: boxes[4 * next + 2], y2: boxes[4 * next + 3]),
          labelIndex: labels[next])
      }
    }
    let maps = try (0..<3).flatMap { try expected("loss.map\($0)").split(1, sizes: [64, 3]) }
    let head = DistanceHead([8, 8, 8], classes: 3, isFused: false)
    let holder = Holder(maps)
    let loss = YOLOLoss()
    var parts: [Float] = []
    let (_, gradients) = valueAndGradient(of: holder) {
      let result = loss(holder.maps.map(\.value), head, instances: instances)
      parts = [result.box.item(), result.classes.item(), result.distribution.item()]
      return result.box * 7.5 + result.classes * 0.5 + result.distribution * 1.5
    }
    for (part, wanted) in zip(parts, try expected("loss.parts").values()) {
      #expect(abs(part - wanted) < 1e-4 * abs(wanted), "\(part) instead of \(wanted)")
    }
    for level in 0..<3 {
      let wanted = try expected("loss.gradient\(level)").split(1, sizes: [64, 3])
      for part in 0..<2 {
        let gradient = try #require(gradients[holder.maps[2 * level + part]])
        #expect(relativeDifference(gradient, wanted[part]) < 1e-4)
      }
    }
  }

  @Test("the parts of the loss with anchors and its gradient")
  func anchorLoss() throws {
    let file = Bundle.module.url(
      forResource: "yolo_anchors", withExtension: "safetensors", subdirectory: "Fixtures")
    let expected = try GoldenFile(#require(file))
    func tensor(_ name: String) throws -> Tensor { try #require(expected[name], "\(name)") }
    let (boxes, labels) = (try tensor("boxes").values(), try tensor("labels").values(of: Int64.self))
    var next = 0
    let instances = try tensor("counts").values(of: Int64.self).map { count in
      (0..<Int(count)).map { _ -> Instance in
        defer { next += 1 }
        return Instance(box: Box(boxes, at: next), labelIndex: Int(labels[next]))
      }
    }
    let head = AnchorHead([8, 8, 8], classes: 3)
    let holder = Holder(try (0..<3).map { try tensor("map\($0)") })
    let loss = YOLOAnchorLoss()
    var parts: [Float] = []
    let (_, gradients) = valueAndGradient(of: holder) {
      let result = loss(holder.maps.map(\.value), head, instances: instances)
      parts = [result.box.item(), result.object.item(), result.classes.item()]
      return result.box * loss.box + result.object * loss.object + result.classes * loss.classes
    }
    for (part, wanted) in zip(parts, try tensor("parts").values()) {
      #expect(abs(part - wanted) < 1e-4 * abs(wanted), "\(part) instead of \(wanted)")
    }
    for level in 0..<3 {
      let gradient = try #require(gradients[holder.maps[level]])
      #expect(relativeDifference(gradient, try tensor("gradient\(level)")) < 1e-4)
    }
  }

  private final class Holder: Module {
    let maps: [Parameter]
    init(_ values: [Tensor]) {
      maps = values.map { value in
        let parameter = Parameter(value.shape, .zeros)
        parameter.value = value
        return parameter
      }
    }
  }

  @Test("the shipped weights reach the card's average precision on other pictures than they learned from")
  func scenes() throws {
    let detector = try Zoo.load(Detector.self, "yolov8_scenes")
    let pictures = try #require(try Recipe.named("yolo_scenes").scenes).pictures(isTraining: false)
    var evaluation = COCOEvaluation(.boxes)
    for index in 0..<pictures.count {
      let picture = pictures.picture(index)
      evaluation.add(try detector.detect(picture.image, threshold: 0.001), objects: picture.instances)
    }
    let card = try #require(try Catalogue.entry("yolov8_scenes").card().weights[0].metrics)
    let summary = evaluation.summary
    for (name, score) in [
      ("map", summary.averagePrecision), ("map50", summary.at50), ("map75", summary.at75),
    ] { #expect(abs(try #require(score) - (card[name] ?? 0)) < 0.002, "\(name) is \(score ?? 0)") }
    #expect(try #require(summary.at50) >= 0.9)
  }

  @Test(
    "compiled, the shipped network finds what it finds operation by operation, and nothing where there is nothing"
  )
  func compiled() throws {
    let compiled = try Zoo.load(Detector.self, "yolov8_scenes")
    let eager = try Zoo.load(Detector.self, "yolov8_scenes", execution: .eager(isExact: true))
    let generator = try #require(try Recipe.named("yolo_scenes").scenes).generator
    for index in 0..<4 {
      let image = generator.picture(index, seed: 2).image
      let (found, expected) = (try compiled.detect(image), try eager.detect(image))
      #expect(found.count == expected.count && !found.isEmpty)
      #expect(zip(found, expected).allSatisfy { $0.box.iou($1.box) > 0.99 && $0.labelIndex == $1.labelIndex })
    }
    let nothing = Image(width: 96, height: 96, model: .rgb, pixels: Array(repeating: 40, count: 3 * 96 * 96))
    #expect(try compiled.detect(nothing).isEmpty)
  }

  @Test("a picture goes into the letterbox and boxes come back")
  func letterbox() {
    let box = Letterbox(side: 640, isTight: true)
    let place = box.place(width: 810, height: 1080, isTight: true)
    #expect(place == .init(width: 480, height: 640, innerWidth: 480, innerHeight: 640, left: 0, top: 0))
    let square = box.place(width: 810, height: 1080, isTight: false)
    #expect(square == .init(width: 640, height: 640, innerWidth: 480, innerHeight: 640, left: 80, top: 0))
    let found = square.box(Box(x1: 80, y1: 0, x2: 560, y2: 640), of: (810, 1080))
    #expect(found == Box(x1: 0, y1: 0, x2: 810, y2: 1080))
    for (width, height) in [(1, 1), (8000, 6000), (10_000, 1), (37, 91)] {
      let place = box.place(width: width, height: height, isTight: true)
      #expect(place.width % 32 == 0 && place.height % 32 == 0 && place.width <= 640 && place.height <= 640)
    }
  }

  @Test(
    "files of fused networks, whose convolutions have biases, give the same predictions",
    arguments: ["yolov5n", "yolov8n"])
  func fused(name: String) throws {
    let plain = try deterministicNetwork(name)
    let entries = plain.network.stateEntries
    var archive = WeightArchive()
    for entry in entries where !entry.name.contains(".bn.") {
      let stem = entry.name.dropLast("conv.weight".count)
      func bn(_ part: String) -> Tensor? { entries.first { $0.name == "\(stem)bn.\(part)" }?.value }
      guard entry.name.hasSuffix("conv.weight"), let weight = bn("weight"), let bias = bn("bias"),
        let mean = bn("running_mean"), let variance = bn("running_var")
      else {
        try archive.append(entry.name, entry.value)
        continue
      }
      let scale = weight / (variance + 1e-3).squareRoot()
      try archive.append(entry.name, entry.value * scale.reshaped([-1, 1, 1, 1]))
      try archive.append("\(stem)conv.bias", bias - mean * scale)
    }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("fused-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("fused.safetensors").path
    try WeightFile.write(archive, to: path, as: .safetensors)
    let fused = try Zoo.network(name, weights: path)
    #expect(fused.settings["fused"] == .bool(true) && plain.settings["fused"] == .bool(false))
    let images: NamedTensors = ["images": deterministicInput([1, 3, 64, 96])]
    let wanted = plain.network(images)["predictions"]
    #expect(relativeDifference(fused.network(images)["predictions"], wanted) < 1e-4)
    // What is saved says itself that it is fused.
    try fused.save(to: path)
    #expect(try Zoo.network(name, weights: path).network.stateEntries.count == archive.count)
    CachingAllocator.trim()
  }

  @Test("settings that make no sense are refused")
  func refused() throws {
    #expect(throws: WeightsError.self) {
      try Detector(YOLO(.scenes), preprocessing: .init(height: 100, width: 100))
    }
    #expect(throws: ConfigurationError.self) {
      try Detector(
        YOLO(.scenes), preprocessing: .init(height: 96, width: 96), settings: ["iou_threshold": .number(2)])
    }
    #expect(throws: SignatureError.self) {
      try Zoo.untrainedNetwork(Catalogue.entry("yolov8_scenes")).outputs(
        for: ["images": .zeros([1, 3, 33, 64])])
    }
  }

  @Test("a picture without objects, and 10 000 boxes at one place")
  func extremes() throws {
    let processor = YOLO.Processor(
      letterbox: Letterbox(side: 640, isTight: false), head: .distances, classes: 1, overlap: 0.7,
      mostBoxes: 300)
    let count = 10_000
    let rows = (0..<5).flatMap { row in
      (0..<count).map { row < 4 ? Float(100) : Float($0) / Float(count) }
    }
    let found = processor.detections(
      ["predictions": Tensor(rows, shape: [1, 5, count])], sizes: [(640, 640)], labels: ["it"],
      threshold: 0.25)
    #expect(found[0].count == 1 && found[0][0].score == Float(count - 1) / Float(count))
    let none = processor.detections(
      ["predictions": .zeros([1, 5, count])], sizes: [(640, 640)], labels: ["it"], threshold: 0.25)
    #expect(none == [[]])
  }

  @Test(
    "a real YOLOv5n: its maps, its one class, and faces",
    .enabled(if: assets != nil, "AVIARY_ASSETS is not set"))
  func faces() throws {
    let assets = try #require(assets)
    let weights = "\(assets)/weights/yolov5n.pt"
    let loaded = try Zoo.network("yolov5n", weights: weights)
    let reference = try WeightFile.open("\(assets)/data/reference_torch.safetensors").archive
    let input = try #require(reference["yolov5n.input_u8"]).cast(to: .float32) * (1 / 255)
    let network = try #require(loaded.network as? YOLO)
    for (map, name) in zip(network.maps(input), ["p3", "p4", "p5"]) {
      #expect(relativeDifference(map, try #require(reference["yolov5n.\(name)"])) < 1e-4, "\(name)")
    }
    let detector = try Detector(loaded)
    #expect(detector.labels == ["face"])
    let found = try detector.detect(try Image(contentsOf: "\(assets)/images/bus.jpg"))
    #expect(found.count >= 2)
    let first = try #require(found.first)
    #expect(abs(first.score - 0.821) < 0.02)
    #expect(first.box.iou(Box(x1: 272, y1: 441, x2: 305, y2: 477)) > 0.9)
    #expect(try detector.detect(try Image(contentsOf: "\(assets)/images/zidane.jpg")).isEmpty)
  }
}
