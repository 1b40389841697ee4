import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

/// A cache in a folder of its own, which is gone afterwards.
func withCache<Result>(_ body: (WeightCache) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("aviary-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(WeightCache(folder: folder.path))
}

/// The bytes of a file of weights of about 260 kB; another `seed` gives another file of the same length.
func weightsFile(seed: UInt64 = 1) throws -> [UInt8] {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("aviary-\(UUID().uuidString)").path
  defer { unlink(path) }
  let values = Tensor.uniform([64, 1024], using: RandomGenerator(seed: seed))
  try SafetensorsFile.write(try WeightArchive([("weight", values)]), to: path)
  return Array(try #require(FileManager.default.contents(atPath: path)))
}

func sha256(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes(Digest.hex) }

extension Download.Policy {
  /// For a server in the same room.
  static var impatient: Download.Policy {
    var policy = Download.Policy()
    policy.attempts = 3
    policy.stallSeconds = 1
    policy.firstDelay = 0.01
    policy.longestDelay = 0.05
    return policy
  }
}
