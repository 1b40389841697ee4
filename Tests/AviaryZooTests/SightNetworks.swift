import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import TestSupport

@testable import AviaryZoo

/// A picture of noise that is the same everywhere.
func noisePicture(width: Int, height: Int, _ model: Image.Model = .rgb, seed: Int = 0) -> Image {
  let count = width * height * model.channelCount
  return Image(
    width: width, height: height, model: model,
    pixels: (seed..<seed + count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) })
}

/// A network of the catalogue with deterministic weights.
func deterministicNetwork(_ name: String, _ settings: Settings = [:]) throws -> LoadedNetwork {
  let loaded = try Zoo.untrainedNetwork(try Catalogue.entry(name), settings: settings)
  loaded.network.fillDeterministically()
  loaded.network.evaluate()
  return loaded
}

/// DETR's sizes that are quick: the body is ResNet-50 nonetheless.
let smallDETR: Settings = [
  "hidden_dim": 32, "nheads": 8, "dim_feedforward": 48, "enc_layers": 1, "dec_layers": 1, "num_queries": 6,
  "num_classes": 3,
].mapValues { .integer($0) }

/// A small DETR with deterministic weights, for pictures of short sides of 64 and long ones of 96 at most.
func deterministicDETR() throws -> LoadedNetwork {
  var loaded = try deterministicNetwork("detr_resnet50", smallDETR)
  loaded.metadata.preprocessing?.resizeShorterSide = 64
  loaded.metadata.preprocessing?.longestSide = 96
  return loaded
}

extension LoadedNetwork {
  /// The same, which runs on smaller examples when stages are summed up.
  func withExamples(_ shape: Shape) -> LoadedNetwork {
    LoadedNetwork(
      name: name, task: task, dialect: dialect, network: network, settings: settings, metadata: metadata,
      report: report, changes: changes, exampleShape: shape)
  }
}
