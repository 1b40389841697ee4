import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite(
  "A real darknet network", .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
struct DarknetAssetTests {
  private func path(_ name: String) throws -> String { "\(try #require(assets))/\(name)" }

  @Test("YOLO-Fastest 1.1-xl says of each place what the reference says")
  func heads() throws {
    let loaded = try Zoo.network(
      // The reference normalizes as pjreddie's program does on a CPU.
      try path("weights/yolo-fastest-1.1-xl.cfg.pjreddie"),
      weights: try path("weights/yolo-fastest-1.1-xl.weights"))
    let reference = try WeightFile.open(try path("data/reference_torch.safetensors")).archive
    func expected(_ name: String) throws -> Tensor {
      try #require(reference["yolo_fastest_1_1_xl.\(name)"])
    }
    let network = try #require(loaded.network as? Darknet)
    let input = try expected("input_u8").cast(to: .float32) * (1 / 255)
    let maps = network.results(of: network.heads.map(\.number), input)
    for (map, name) in zip(maps, ["head0_10x10", "head1_20x20"]) {
      #expect(relativeDifference(map, try expected(name)) < 1e-4, "\(name)")
    }
  }

  @Test(
    "YOLO-Fastest 1.1-xl finds the objects, overlaps and scores of a darknet interpreter",
    arguments: [
      (
        "dog",
        [
          ("dog", 0.886, [116, 188, 384, 536]), ("car", 0.866, [445, 80, 687, 161]),
          ("bicycle", 0.859, [115, 125, 569, 494]), ("truck", 0.369, [450, 81, 674, 163]),
        ]
      ),
      (
        "person",
        [
          ("person", 0.995, [188, 102, 271, 363]), ("dog", 0.986, [62, 259, 202, 357]),
          ("cow", 0.960, [391, 142, 609, 334]),
        ]
      ),
      ("horses", [("cow", 0.901, []), ("horse", 0.834, [])]),
      ("giraffe", [("giraffe", 0.993, [158, 13, 426, 436]), ("zebra", 0.953, [])]),
      ("eagle", [("bird", 0.994, [143, 78, 571, 456])]),
    ] as [(String, [(String, Float, [Float])])])
  func objects(_ name: String, _ wanted: [(label: String, score: Float, edges: [Float])]) throws {
    let detector = try Zoo.load(
      Detector.self, try path("weights/yolo-fastest-1.1-xl.cfg"),
      weights: try path("weights/yolo-fastest-1.1-xl.weights"))
    let found = try detector.detect(try Image(contentsOf: try path("images/\(name).jpg")), threshold: 0.3)
    for object in wanted {
      let best = try #require(
        found.filter { $0.label == object.label }.min {
          abs($0.score - object.score) < abs($1.score - object.score)
        },
        "\(object.label) in \(name): \(found)")
      #expect(abs(best.score - object.score) < 0.02, "\(name), \(object.label): \(best.score)")
      guard object.edges.count == 4 else { continue }
      let box = Box(x1: object.edges[0], y1: object.edges[1], x2: object.edges[2], y2: object.edges[3])
      #expect(best.box.iou(box) >= 0.95, "\(name), \(object.label): \(best.box)")
    }
  }
}
