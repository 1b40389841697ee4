import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Gatys' losses against their reference")
struct GatysTests {
  /// As `tools/reference/dense_fixtures.py` has them.
  static let settings: [String: Settings] = [
    "neural_style": [:],
    "tutorial": [
      "content_layers": .array([.string("conv4_1")]), "content_weights": .array([.integer(1)]),
      "style_layers": .array(["conv1_1", "conv1_2", "conv2_1", "conv4_1", "pool3"].map { .string($0) }),
      "style_weights": .array([1000, 2000, 500, 1000, 10].map { .integer($0) }),
      "tv_weight": .number(1e-4), "pooling": .string("average"),
    ],
  ]

  private var inputs: NamedTensors {
    [
      "image": deterministicInput([1, 3, 35, 50]),
      "content": deterministicInput([1, 3, 35, 50], named: "content"),
      "style": deterministicInput([1, 3, 41, 32], named: "style"),
    ]
  }

  private func network(_ name: String) throws -> Gatys {
    let settings = try #require(Self.settings[name])
    return try #require(try deterministicNetwork("gatys_vgg19", settings).network as? Gatys)
  }

  @Test("every layer's activations are PyTorch's", arguments: settings.keys.sorted())
  func activations(name: String) throws {
    let fixture = try denseFixture("style")
    let network = try network(name)
    let layers = network.configuration.trunk.layers
    #expect(layers.count == 2 * 16 + 5)
    for (layer, found) in zip(layers, network.activations(of: inputs["image"], at: layers)) {
      let expected = try #require(fixture["gatys.\(name).\(layer.name)"]).values()
      let largest = try #require(fixture["gatys.\(name).\(layer.name).largest"]).item()
      let values = found.values()
      let step = max(1, values.count / 24)
      let sampled = stride(from: 0, to: values.count, by: step).map { values[$0] }
      #expect(sampled.count == expected.count)
      #expect(zip(sampled, expected).allSatisfy { abs($0 - $1) < 1e-4 * largest }, "\(layer.name)")
      #expect(abs(values.map(abs).max()! - largest) < 1e-4 * largest, "\(layer.name)")
    }
    CachingAllocator.trim()
  }

  @Test(
    "losses and the gradient with respect to the picture are PyTorch's", arguments: settings.keys.sorted())
  func gradient(name: String) throws {
    let fixture = try denseFixture("style")
    let network = try network(name)
    for output in ["content_loss", "style_loss", "loss", "gradient"] {
      let expected = try #require(fixture["gatys.\(name).\(output)"])
      try network.expectOutput(output, of: inputs, toBe: expected)
    }
    CachingAllocator.trim()
  }

  @Test("settings that make no losses are refused")
  func nonsense() throws {
    let entry = try Catalogue.entry("gatys_vgg16")
    let wrong: [Settings] = [
      ["content_layers": .array([.string("relu9_1")])], ["style_layers": .array([])],
      ["style_weights": .array([.integer(1), .integer(2)])], ["tv_weight": .integer(-1)],
      ["pooling": .string("none")], ["depth": .integer(17)],
      ["style_layers": .array([.string("relu1_1"), .string("relu1_1")])],
    ]
    for settings in wrong {
      #expect(throws: ConfigurationError.self) { try Zoo.untrainedNetwork(entry, settings: settings) }
    }
  }

  @Test("a picture of one pixel has losses too")
  func onePixel() throws {
    let network = try network("tutorial")
    let pixel = deterministicInput([1, 3, 1, 1])
    let outputs = network(["image": pixel, "content": pixel, "style": inputs["style"]])
    #expect(outputs["loss"].item().isFinite && outputs["gradient"].values().allSatisfy(\.isFinite))
  }

  @Test("tiles together give the losses and the gradient of the whole picture, with masks and without")
  func tiles() throws {
    let loaded = try deterministicNetwork("gatys_vgg16", ["pooling": .string("average")])
    let gatys = try #require(loaded.network as? Gatys)
    func objective(tile: Int) -> GatysObjective {
      GatysObjective(
        trunk: gatys.configuration.trunk, weights: gatys.weights,
        scale: PictureScale(Preprocessing()),
        contentLayers: gatys.configuration.contentLayers.map { ($0.layer, Float($0.weight)) },
        styleLayers: gatys.configuration.styleLayers.map { ($0.layer, Float($0.weight)) }, tileSide: tile)
    }
    let picture = (deterministicInput([1, 3, 203, 170]) + 2) * 60
    let content = (deterministicInput([1, 3, 203, 170], named: "content") + 2) * 60
    let style = (deterministicInput([1, 3, 90, 120], named: "style") + 2) * 60
    let mask = deterministicInput([1, 1, 203, 170], named: "mask") / 4 + 0.5
    for masks in [[], [mask, 1 - mask]] {
      let styles: [(values: Tensor, share: Float, mask: Tensor?)] =
        [(style, 0.25, nil), (style.flipped(3) * 0.5, 0.75, nil)]
      func evaluation(_ tile: Int) -> (GatysObjective.Evaluation, tiles: Int) {
        let objective = objective(tile: tile)
        let targets = objective.targets(
          content: content, styles: styles, masks: masks, contentWeight: 1, styleWeight: 10)
        return (
          objective.evaluation(of: picture, targets, variationWeight: 0.5), targets.tiles.count
        )
      }
      let (whole, one) = evaluation(256)
      let (pieces, several) = evaluation(64)
      #expect(one == 1 && several == 12)
      #expect(abs(whole.content - pieces.content) < 1e-4 * whole.content)
      #expect(abs(whole.style - pieces.style) < 1e-4 * whole.style)
      #expect(whole.variation == pieces.variation)
      #expect(relativeDifference(whole.gradient, pieces.gradient) < 1e-4)
    }
    CachingAllocator.trim()
  }
}
