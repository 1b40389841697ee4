import Foundation
import TestSupport
import Testing

@testable import AviaryTensors

/// Pooling of regions against its definition (`tools/reference/region_fixtures.py`).
@Suite("Regions of maps")
struct RegionTests {
  private static let file = Result {
    try GoldenFile(
      Bundle.module.bundleURL.appending(path: "Fixtures/regions.safetensors", directoryHint: .notDirectory))
  }

  private func expected(_ name: String) throws -> Tensor { try #require(Self.file.get()[name], "\(name)") }

  private func expect(_ name: String, _ pool: (Tensor) -> Tensor) throws {
    let (map, weights) = (try expected("map"), try expected("weights"))
    #expect(relativeDifference(pool(map), try expected("\(name).output")) < 1e-6, "\(name)")
    let gradient = gradient(at: map) { (pool($0) * weights).sum() }
    #expect(relativeDifference(gradient, try expected("\(name).gradient")) < 1e-5, "\(name)")
  }

  @Test("means of interpolated samples, with their gradients", arguments: [2, 3, nil], [false, true])
  func align(samples: Int?, isAligned: Bool) throws {
    let regions = try expected("regions")
    try expect("align_\(samples ?? 0)_\(isAligned)") {
      regionsAligned(
        [$0], regions: regions, size: (3, 2), scales: [0.25], samples: samples, isAligned: isAligned)
    }
  }

  @Test("largest values, with their gradients")
  func maximum() throws {
    let regions = try expected("regions")
    try expect("maximum") { regionsMaxPooled($0, regions: regions, size: (3, 2), scale: 0.25) }
  }

  @Test("each region is taken from its own map, or from none")
  func levels() throws {
    let (map, regions) = (try expected("map"), try expected("regions"))
    let coarse = map.averagePooled(PoolingGeometry(kernel: [2, 2]))
    let levels = Tensor([Int64(0), 1, -1, 0, 1, 1, 0, -1])
    let result = regionsAligned(
      [map, coarse], regions: regions, levels: levels, size: (3, 2), scales: [0.25, 0.125], samples: 2)
    let fine = regionsAligned([map], regions: regions, size: (3, 2), scales: [0.25], samples: 2)
    let other = regionsAligned([coarse], regions: regions, size: (3, 2), scales: [0.125], samples: 2)
    for (row, level) in levels.values(of: Int64.self).enumerated() {
      let values = result.selected(0, row).values()
      switch level {
      case 0: #expect(values == fine.selected(0, row).values())
      case 1: #expect(values == other.selected(0, row).values())
      default: #expect(values.allSatisfy { $0 == 0 })
      }
    }
  }
}
