import AviaryLayers
import AviaryTensors
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// What HED learns from, against `tools/reference/pixel_loss_fixtures.py`.
@Suite("HED's loss")
struct HEDTests {
  private static let fixture = try! GoldenFile(
    Bundle.module.url(forResource: "pixel_losses", withExtension: "safetensors", subdirectory: "Fixtures")!)

  private func expected(_ name: String) throws -> Tensor { try #require(Self.fixture[name], "\(name)") }

  @Test("HED learns from six outputs by class-balanced cross-entropy, with the reference's gradients")
  func edges() throws {
    let network = HED()
    network.fillDeterministically()
    let labels = try expected("hed.labels")
    let inputs: NamedTensors = ["image": deterministicInput([2, 3, 21, 30])]
    let loss = PixelLoss(for: network)
    let fused = loss(network(inputs)["logits"], labels: labels)
    #expect(relativeDifference(fused, try expected("hed.fused")) < 1e-4)
    let (value, gradients) = valueAndGradient(of: network) {
      loss(network(inputs), of: network, labels: labels)
    }
    #expect(relativeDifference(value, try expected("hed.loss")) < 1e-4)
    for (name, parameter) in network.namedParameters {
      let found = try #require(gradients[parameter], "\(name)").values()
      let wanted = try expected("hed.gradient.\(name)").values()
      let largest = try expected("hed.gradient.\(name).largest").item()
      let step = max(1, found.count / 24)
      for (place, value) in wanted.enumerated() {
        #expect(abs(found[place * step] - value) <= 1e-4 * largest, "\(name) \(place)")
      }
    }
    CachingAllocator.trim()
  }
}
