import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

/// Published weights whose frameworks' results are at hand.
@Suite(
  "Real weights of classifiers",
  .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
struct ClassifierAssetTests {
  @Test("SqueezeNet 1.1 of Keras 1, without a classifier, gives Keras' features")
  func squeezeNet() throws {
    let assets = try #require(assets)
    let expected = try GoldenFile(URL(filePath: "\(assets)/data/reference_torch.safetensors"))
    let bytes = try #require(expected["squeezenet.input_u8_rgb_nhwc"])
    let image = Image(width: 224, height: 224, model: .rgb, pixels: bytes.values(of: UInt8.self))

    let dialect = try #require(try Catalogue.entry("squeezenet1_1").dialect(named: "keras"))
    let model = dialect.make(1000)
    let file = try WeightFile.open(
      "\(assets)/weights/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5")
    let map = try #require(try dialect.loadNameMap())
    let imported = try map.imported(file.archive)
    #expect(imported.unmatched.isEmpty)
    let features = model.stateEntries.filter { $0.name.hasPrefix("features.") }
    #expect(Set(features.map(\.name)) == Set(imported.archive.names))
    for entry in features { entry.value = try #require(imported.archive[entry.name]) }

    let input = dialect.preprocessing.sized(resize: .none, crop: nil)(image)
    let result = model.stages.dropLast().reduce(input) { $1($0) }
    let fire9 = try #require(expected["squeezenet.fire9"])
    #expect(result.shape == fire9.shape)
    #expect(relativeDifference(result, fire9) < 1e-4)
  }
}
