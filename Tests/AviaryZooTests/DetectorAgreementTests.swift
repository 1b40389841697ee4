import AviaryLayers
import AviaryTensors
import AviaryVision
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// Full-size detectors with deterministic weights against torchvision (`tools/reference/detector_fixtures.py`).
@Suite("torchvision's detectors")
struct DetectorAgreementTests {
  static let names = [
    "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn", "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2", "fcos_resnet50_fpn", "ssd300_vgg16",
  ]

  @Test("what is found: as many, with the same labels, boxes and scores within 1e-3", arguments: names)
  func found(name: String) throws {
    let reference = try ReferenceDetector(name)
    let network = try reference.network()
    let counts = try reference.tensor("counts").values(of: Int64.self).map(Int.init)
    #expect([network.stateEntries.count, network.parameterCount] == counts)
    let inputs: NamedTensors = ["image": ReferenceDetector.picture()]
    try network.signature.check(inputs)
    let counted = try #require(network as? any CountedNetwork)
    let compiled = network.compiled()
    for (way, outputs) in [
      ("eager", network(inputs)), ("compiled", compiled(inputs)), ("compiled again", compiled(inputs)),
    ] {
      #expect(outputs.names == network.signature.outputs.map(\.name))
      let found = counted.trimmed(outputs, for: inputs)
      let rows = try Self.rows(of: found, matching: reference)
      #expect(rows.allSatisfy { $0 != nil }, "\(name) \(way): \(rows.count { $0 == nil }) are not found")
      #expect(Set(rows).count == found["labels"].count, "\(name) \(way): as many")
      guard let masks = reference.expected["masks"] else { continue }
      let every30th = stride(from: 0, to: rows.count, by: 30).map { rows[$0] ?? 0 }
      let difference = largestDifference(found["masks"].taking(every30th, axis: 0), masks)
      #expect(difference < 1e-3, "\(name) \(way): masks \(difference)")
    }
    CachingAllocator.trim()
  }

  /// For each object of the reference one that was found with its label, and its score and box within 1e-3. Objects whose scores are apart by
  /// less than rounding may have changed places.
  private static func rows(of found: NamedTensors, matching reference: ReferenceDetector) throws -> [Int?] {
    let (labels, scores, edges) = (
      found["labels"].values(of: Int64.self), found["scores"].values(), found["boxes"].values()
    )
    let wanted = try reference.tensor("labels").values(of: Int64.self)
    let (wantedScores, wantedEdges) = (
      try reference.tensor("scores").values(), try reference.tensor("boxes").values()
    )
    var isTaken = [Bool](repeating: false, count: labels.count)
    return wanted.indices.map { place in
      let row = labels.indices.first { row in
        !isTaken[row] && labels[row] == wanted[place] && abs(scores[row] - wantedScores[place]) < 1e-3
          && (0..<4).allSatisfy { abs(edges[4 * row + $0] - wantedEdges[4 * place + $0]) < 1e-3 }
      }
      if let row { isTaken[row] = true }
      return row
    }
  }

  @Test("what the heads answer at all places, within 1e-4 of the largest", arguments: names)
  func raw(name: String) throws {
    let reference = try ReferenceDetector(name)
    let network = try reference.network()
    for (answer, list) in Self.answers(of: network, ReferenceDetector.picture()) {
      let most = try reference.tensor("raw.\(answer).most").item()
      let expected = try reference.tensor("raw.\(answer)").values()
      let given = stride(from: 0, to: list.count, by: answer == "cls_logits" ? 1009 : 101).map { list[$0] }
      #expect(given.count == expected.count)
      let difference = zip(given, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference < 1e-4 * most, "\(name) \(answer): \(difference) of \(most)")
    }
    CachingAllocator.trim()
  }

  /// The dense heads' answers under torchvision's names, in its order.
  private static func answers(of network: any Network, _ image: Tensor) -> [(String, [Float])] {
    func flat(_ maps: [Tensor], each: Int) -> [Float] {
      maps.flatMap { $0.placeByPlace(each: each).values() }
    }
    switch network {
    case let network as FasterRCNN:
      let outputs = network.rpn(network.backbone(network.configuration.scaling(image).tensor))
      return [
        ("objectness", flat(outputs.map(\.logits), each: 1)),
        ("deltas", flat(outputs.map(\.deltas), each: 4)),
      ]
    case let network as RetinaNet:
      let answers = network.answers(network.configuration.scaling(image))
      return [
        ("cls_logits", flat(answers.map(\.logits), each: 91)),
        ("bbox_regression", flat(answers.map(\.deltas), each: 4)),
      ]
    case let network as FCOS:
      let answers = network.answers(network.configuration.scaling(image))
      return [
        ("cls_logits", flat(answers.map(\.logits), each: 91)),
        ("bbox_regression", flat(answers.map(\.distances), each: 4)),
        ("bbox_ctrness", flat(answers.map(\.centreness), each: 1)),
      ]
    case let network as SSD:
      let answers = network.answers(SSD.scaling(image))
      return [("cls_logits", answers.logits.values()), ("bbox_regression", answers.deltas.values())]
    default: return []
    }
  }
}
