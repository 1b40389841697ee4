import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

/// Damaged files of every format end in a typed error or in tensors, never in a crash, a hang or much memory.
@Suite struct MutationTests {
  private static let rounds = Int(ProcessInfo.processInfo.environment["AVIARY_MUTATIONS"] ?? "") ?? 300
  private static let endings = [".h5", ".npy", ".npz", ".safetensors", ".keras", ".pth", ".weights"]

  private static var files: [String] {
    Fixture.all.filter { name in endings.contains { name.hasSuffix($0) } }
  }

  @Test(arguments: MutationTests.files) func damagedFilesThrow(_ name: String) throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("damaged").path
      try Self.damage(try Fixture.bytes(name), at: path) { try Self.readAll(path) }
    }
  }

  /// Checksums would find most damage before the pickle is read, so these files have none.
  @Test(arguments: ["state.pth", "checkpoint.pth", "module.pth", "script.pth", "no_checksums.pth"])
  func damagedPicklesThrow(_ name: String) throws {
    var bytes = try Fixture.bytes(name)
    let members = try ZipDirectory(window(bytes)).members
    for member in members { bytes.replace(Self.bytes(of: member.crc32), with: [0, 0, 0, 0]) }
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("damaged").path
      try Self.damage(bytes, at: path) { try Self.readAll(path) }
    }
  }

  @Test(arguments: ["small.weights.json", "small_00000.weights.h5"])
  func damagedShardsThrow(_ name: String) throws {
    let names = [
      "small.weights.json", "small_00000.weights.h5", "small_00001.weights.h5", "small_00002.weights.h5",
    ]
    try withTemporaryFolder { folder in
      for name in names {
        let target = folder.appendingPathComponent(name)
        try Data(try Fixture.bytes("keras_shards/" + name)).write(to: target)
      }
      try Self.damage(
        try Fixture.bytes("keras_shards/" + name), at: folder.appendingPathComponent(name).path
      ) { try Self.readAll(folder.appendingPathComponent("small.weights.json").path) }
    }
  }

  @Test func damagedIndicesThrow() throws {
    try withTemporaryFolder { folder in
      try WeightFile.write(
        try WeightArchive([("a", ramp([2, 3])), ("b", ramp([3]))]),
        to: folder.appendingPathComponent("m1.safetensors").path, as: .portable)
      let index = #"{"metadata":{"total_size":36},"weight_map":{"a":"m1.safetensors","b":"m1.safetensors"}}"#
      let path = folder.appendingPathComponent("model.safetensors.index.json").path
      try Self.damage(Array(index.utf8), at: path) { try Self.readAll(path) }
    }
  }

  @Test func damagedPortableFilesThrow() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("damaged").path
      var archive = try WeightFile.open(Fixture.path("keras3.weights.h5")).archive
      archive.portable = PortableMetadata(model: "lenet", dialect: "keras")
      archive.portable?.labels = ["zero", "one"]
      try WeightFile.write(archive, to: path, as: .portable)
      try Self.damage(Array(try Data(contentsOf: URL(fileURLWithPath: path))), at: path) {
        try Self.readAll(path)
        try SafetensorsFile.verify(path)
      }
    }
  }

  @Test(arguments: ["ResNet/keras_resnet", "MobileNet/keras_mobilenet"])
  func damagedNameMapsThrow(_ name: String) throws {
    let parts = name.split(separator: "/")
    let map = Fixture.repository.appendingPathComponent(
      "zoo/Classification/\(parts[0])/Maps/\(parts[1]).json")
    let archive = try WeightFile.open(Fixture.path("keras3.weights.h5")).archive
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("map.json").path
      try Self.damage(Array(try Data(contentsOf: map)), at: path) {
        let map = try NameMap(contentsOf: path)
        do {
          _ = try map.imported(archive)
        } catch let error as WeightsError {
          throw error.inFile(path)
        }
      }
    }
  }

  // MARK: Damage

  /// Writes damaged copies to `path`; `read` must end in a ``WeightsError`` that names a file of that folder, or in nothing, within
  /// five seconds and without taking much memory.
  private static func damage(_ original: [UInt8], at path: String, _ read: () throws -> Void) throws {
    var random = SplitMix64(seed: UInt64(original.count))
    let clock = ContinuousClock()
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let resident = residentBytes()
    for round in 0..<rounds {
      let bytes = mutated(original, round, &random)
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      if let log = ProcessInfo.processInfo.environment["AVIARY_MUTATION_COPY"] {
        try Data(bytes).write(to: URL(fileURLWithPath: log))
      }
      let time = try clock.measure {
        do {
          try read()
        } catch let error as WeightsError {
          #expect(error.file?.hasPrefix(folder) == true, "the message names the file: \(error)")
        }
      }
      #expect(time < .seconds(5), "round \(round)")
    }
    #expect(residentBytes() - resident < 512 << 20)
  }

  private static func readAll(_ path: String) throws {
    let file = try WeightFile.open(path)
    #expect(file.archive.byteCount < 2 << 30)
    for (_, tensor) in file.archive.entries { tensor.withUnsafeBytes { _ = $0.last } }
  }

  /// The most memory this process has had so far, where the system says it.
  private static func residentBytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) << 10
  }

  private static func bytes(of value: UInt32) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  /// Cuts, flips bits, overwrites numbers with extreme ones, copies one piece over another, repeats a piece many times, or inserts one.
  private static func mutated(_ original: [UInt8], _ round: Int, _ random: inout SplitMix64) -> [UInt8] {
    var bytes = original
    func position(_ random: inout SplitMix64) -> Int { Int(random.next() % UInt64(bytes.count)) }
    switch round % 7 {
    case 0: bytes.removeLast(position(&random))
    case 1, 2:
      for _ in 0..<(1 + random.next() % 4) { bytes[position(&random)] ^= 1 << UInt8(random.next() % 8) }
    case 3:
      let start = position(&random)
      let extremes: [UInt64] = [
        0, 1, 0x7F, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, .max, 1 << 63, UInt64(bytes.count),
      ]
      let value = extremes[Int(random.next() % UInt64(extremes.count))]
      let width = [2, 4, 8][Int(random.next() % 3)]
      for index in 0..<width where start + index < bytes.count {
        bytes[start + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
      }
    case 4:
      let from = position(&random)
      let to = position(&random)
      for index in 0..<16 where max(from, to) + index < bytes.count {
        bytes[to + index] = original[from + index]
      }
    case 5:
      // Deep nesting: what opens something is repeated as often as would overflow a stack.
      let opening = Array("[{(]})l").randomElement(using: &random)!.asciiValue!
      bytes.insert(contentsOf: [UInt8](repeating: opening, count: 20_000), at: position(&random))
    default:
      let from = position(&random)
      let piece = original[from..<min(from + Int(random.next() % 200), original.count)]
      bytes.insert(contentsOf: piece, at: position(&random))
    }
    return bytes
  }
}

/// A small generator with a seed, so that a failure can be repeated.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
