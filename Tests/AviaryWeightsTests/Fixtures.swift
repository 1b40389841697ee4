import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

/// The small files beside the tests and, when they are at hand, real ones.
enum Fixture {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "Fixtures")

  static func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: folder.appendingPathComponent(name)))
  }

  static var all: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
  }

  /// The folder of real pretrained files that `AVIARY_ASSETS` names; tests that need it are skipped without.
  static let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"].map { URL(fileURLWithPath: $0) }
  static let noAssets: Comment = "set AVIARY_ASSETS to the folder of real weights to run this"

  static func asset(_ name: String) -> String {
    assets!.appendingPathComponent("weights").appendingPathComponent(name).path
  }

  static var assetHDF5Files: [String] {
    guard let assets else { return [] }
    let names = try? FileManager.default.contentsOfDirectory(
      atPath: assets.appendingPathComponent("weights").path)
    return (names ?? []).filter { $0.hasSuffix(".h5") }.sorted()
  }

  static var assetCheckpoints: [String] {
    assets == nil ? [] : ((try? checkpointDigests()) ?? [:]).keys.sorted()
  }

  struct CheckpointDigest: Decodable {
    let tensors: Int
    let sha256: String
  }

  static func checkpointDigests() throws -> [String: CheckpointDigest] {
    try JSONDecoder().decode([String: CheckpointDigest].self, from: Data(try bytes("checkpoints.json")))
  }

  /// A name map of the zoo: `ResNet/keras_resnet`.
  static func nameMap(_ name: String) throws -> NameMap {
    let parts = name.split(separator: "/")
    return try NameMap(
      contentsOf: repository.appendingPathComponent("zoo/Classification/\(parts[0])/Maps/\(parts[1]).json")
        .path)
  }

  /// The repository's root.
  static let repository = folder.deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
}

/// A folder that exists while `body` runs.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("aviary-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}

func contents(_ folder: URL) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder.path)
}

/// k/8 for k = start, start + 1, …: what the script that made the fixtures fills tensors with.
func ramp(_ shape: Shape, start: Int = 0) -> Tensor {
  Tensor((0..<shape.elementCount).map { Float($0 + start) / 8 }, shape: shape)
}

/// The bytes as a file.
func window(_ bytes: [UInt8]) throws -> FileWindow {
  FileWindow(try MappedFile(path: "memory", count: bytes.count) { $0.copyBytes(from: bytes) })
}

/// True when type, shape and every bit agree.
func areIdentical(_ a: Tensor?, _ b: Tensor?) -> Bool {
  guard let a, let b, a.spec == b.spec else { return false }
  return a.withUnsafeBytes { x in b.withUnsafeBytes { y in x.elementsEqual(y) } }
}

func areIdentical(_ a: WeightArchive, _ b: WeightArchive) -> Bool {
  Set(a.names) == Set(b.names) && a.names.allSatisfy { areIdentical(a[$0], b[$0]) }
}

extension WeightFormat {
  /// The formats that any tensors can be written in: darknet's files have the order of a network's `.cfg`.
  static let ofAnyTensors = writable.filter { $0 != .darknet }
}
