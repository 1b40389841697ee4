import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// torchvision's detectors with deterministic weights, as `tools/reference/detectors.py` makes them.
struct ReferenceDetector {
  let name: String
  let expected: GoldenFile

  init(_ name: String) throws {
    self.name = name
    expected = try GoldenFile(
      try #require(
        Bundle.module.url(
          forResource: name, withExtension: "safetensors", subdirectory: "Fixtures/detectors")))
  }

  func tensor(_ key: String) throws -> Tensor { try #require(expected[key], "\(name).\(key)") }

  /// What weights are multiplied by, `FACTORS` of the script.
  private static let factors: [(kind: String, factors: [(part: String, factor: Float)])] = [
    ("mobilenet", [("rpn.head.cls_logits.weight", 8), ("cls_score.weight", 4)]),
    (
      "retinanet",
      [
        ("fpn.inner_blocks", 0.02), ("p6.weight", 0.5), ("head.cls_logits.weight", 0.15),
        ("head.bbox_reg.weight", 0.2),
      ]
    ),
    (
      "resnet50",
      [
        ("fpn.inner_blocks", 0.02), ("p6.weight", 0.5), ("rpn.head.bbox_pred.weight", 0.2),
        ("cls_score.weight", 1.5), ("box_predictor.bbox_pred.weight", 0.5), ("head.bbox_reg.weight", 0.2),
      ]
    ),
    ("ssd", [("module_list", 0.02), ("scale_weight", 200)]),
  ]

  /// Gives every weight of a network the value that its name says.
  func fill(_ network: any Module) throws {
    let factors = try #require(Self.factors.first { name.contains($0.kind) }).factors
    for entry in network.stateEntries {
      let factor =
        entry.shape.count < 2 && !entry.name.hasSuffix("scale_weight")
        ? 1 : factors.first { entry.name.contains($0.part) }?.factor ?? 1
      let values = DeterministicWeights.torch(entry.name, shape: entry.shape)
      entry.value = Tensor(values.map { $0 * factor }, shape: entry.shape)
    }
  }

  /// The catalogue's network with these weights.
  func network() throws -> any Network {
    let dialect = try Catalogue.selection(name).entry.dialects[0]
    guard case .network(let blueprint, _) = dialect.form else { throw Missing() }
    let network = try blueprint.make(blueprint.settings)
    try fill(network)
    return network
  }

  struct Missing: Error {}

  static let height = 96
  static let width = 128

  /// `detectors.picture`: squares of eight pixels in colours of 0…1, 1×3×96×128.
  static func picture(_ name: String = "picture") -> Tensor {
    let (rows, columns) = (height / 8, width / 8)
    let values = DeterministicWeights.image(named: name, shape: [3, rows, columns]).map { ($0 + 2) / 4 }
    let pixels = (0..<3 * height * width).map { index -> Float in
      let (channel, place) = index.quotientAndRemainder(dividingBy: height * width)
      return values[(channel * rows + place / width / 8) * columns + place % width / 8]
    }
    return Tensor(pixels, shape: [1, 3, height, width])
  }
}

/// The largest difference of two tensors of one shape.
func largestDifference(_ actual: Tensor, _ expected: Tensor) -> Float {
  guard actual.shape == expected.shape else { return .infinity }
  return zip(actual.values(), expected.values()).map { abs($0 - $1) }.max() ?? 0
}
