import Aviary
import Foundation
import TestSupport

/// Writes a picture of noise that is the same everywhere.
func writeNoise(_ path: String, width: Int, height: Int, seed: Int = 0) throws {
  let pixels = (seed..<seed + 3 * width * height).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
  try Image(width: width, height: height, model: .rgb, pixels: pixels).write(to: path)
}

/// Writes a portable file of a network with deterministic weights, without what its stages return, and gives the network.
@discardableResult
func writeWeights(
  of name: String, _ settings: Settings = [:], to path: String,
  changing change: (inout WeightArchive) throws -> Void = { _ in }
) throws -> LoadedNetwork {
  let loaded = try Zoo.untrainedNetwork(try Catalogue.entry(name), settings: settings)
  for entry in loaded.network.stateEntries {
    entry.value = Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
  }
  var archive = try loaded.archive()
  try change(&archive)
  try WeightFile.write(archive, to: path, as: .portable)
  return loaded
}

extension Outcome {
  /// The output as JSON: an object for each picture.
  func records() throws -> [[String: Any]] {
    try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[String: Any]] ?? []
  }
}
