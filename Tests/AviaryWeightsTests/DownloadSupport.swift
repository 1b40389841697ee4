import AviaryTensors
import Foundation
import TestSupport
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

/// Pulls `net.tv` from a server; checks that what lies in the cache is what its entry says.
func pull(
  _ cache: WeightCache, _ server: LocalServer, _ digest: PublishedDigest? = nil, byteCount: Int? = nil,
  isForced: Bool = false
) throws -> [UInt8] {
  let entry = try cache.pull(
    "net.tv", file: "net.pth",
    Download(url: server.address + "/net.pth", digest: digest, byteCount: byteCount), isForced: isForced,
    policy: .impatient)
  let bytes = Array(try #require(FileManager.default.contents(atPath: entry.path)))
  #expect(entry.sha256 == sha256(bytes) && entry.byteCount == bytes.count)
  #expect(entry.path.hasSuffix("/weights/\(entry.sha256)"))
  return bytes
}

/// What a pull that must fail throws; the cache has nothing of it then.
func failure(
  _ cache: WeightCache, _ server: LocalServer, _ digest: PublishedDigest? = nil, byteCount: Int? = nil
) throws -> DownloadError {
  let error = #expect(throws: DownloadError.self) {
    try pull(cache, server, digest, byteCount: byteCount)
  }
  #expect(try cache.entries().isEmpty)
  return try #require(error)
}

func sha256(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes(Digest.hex) }

extension Download.Policy {
  /// For a server in the same room.
  static var impatient: Download.Policy { impatient([:]) }

  static func impatient(_ environment: [String: String]) -> Download.Policy {
    var policy = Download.Policy(environment: environment)
    policy.attempts = 3
    policy.stallSeconds = 1
    policy.firstDelay = 0.01
    policy.longestDelay = 0.05
    return policy
  }
}
