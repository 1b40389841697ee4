import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

/// Damaged files of every format end in a typed error or in tensors, never in a crash, a hang or much memory.
@Suite struct MutationTests {
  private static let rounds = Int(ProcessInfo.processInfo.environment["AVIARY_MUTATIONS"] ?? "") ?? 300

  private static var files: [String] {
    Fixture.all.filter {
      $0.hasSuffix(".h5") || $0.hasSuffix("npy") || $0.hasSuffix("npz") || $0.hasSuffix("safetensors")
    }
  }

  @Test(arguments: MutationTests.files) func damagedFilesThrow(_ name: String) throws {
    let original = try Fixture.bytes(name)
    var random = SplitMix64(seed: UInt64(original.count))
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("damaged").path
      for round in 0..<Self.rounds {
        let bytes = Self.mutated(original, round, &random)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        if let log = ProcessInfo.processInfo.environment["AVIARY_MUTATION_COPY"] {
          try Data(bytes).write(to: URL(fileURLWithPath: log))
        }
        do {
          let file = try WeightFile.open(path)
          for entry in file.archive.entries { entry.tensor.withUnsafeBytes { _ = $0.last } }
          #expect(file.archive.byteCount < 2 << 30)
        } catch let error as WeightsError {
          #expect(error.file == path, "the message names the file: \(error)")
        }
      }
    }
  }

  /// Cuts, flips bits, overwrites numbers with extreme ones, or copies one piece over another.
  private static func mutated(_ original: [UInt8], _ round: Int, _ random: inout SplitMix64) -> [UInt8] {
    var bytes = original
    func position(_ random: inout SplitMix64) -> Int { Int(random.next() % UInt64(bytes.count)) }
    switch round % 5 {
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
    default:
      let from = position(&random)
      let to = position(&random)
      for index in 0..<16 where max(from, to) + index < bytes.count {
        bytes[to + index] = original[from + index]
      }
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
