import AviaryTensors
import Foundation
import TestSupport
import Testing

@testable import AviaryWeights

/// Files made to do harm end in an error that says so, soon and without taking much memory.
@Suite(.serialized) struct HostileFileTests {
  /// 300 MB of zeros in 300 kB.
  private static let zeros = DeflatedZip.member(start: [], zeros: 300 << 20)

  private static func open(_ bytes: [UInt8], _ kind: WeightsError.Kind, _ message: String) throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("hostile").path
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      var found: WeightsError?
      let start = ContinuousClock.now
      let peak = try PeakMemory.during {
        do {
          _ = try WeightFile.open(path)
        } catch let error as WeightsError {
          found = error
        }
      }
      #expect(ContinuousClock.now - start < .seconds(5))
      if let peak { #expect(peak < 512 << 20) }
      #expect(found?.kind == kind && found?.file == path, "\(String(describing: found))")
      #expect(found?.reason.contains(message) == true, "\(String(describing: found))")
    }
  }

  @Test(arguments: [
    ["a.npy"], ["config.json", "model.weights.h5"], ["archive/data.pkl", "archive/version"],
    ["model.weights.h5", "config.json"],
  ])
  func compressionBombs(_ names: [String]) throws {
    let small = DeflatedZip.member(start: Array("{}".utf8), zeros: 0)
    let members = names.enumerated().map { ($0.element, $0.offset == 0 ? Self.zeros : small) }
    try Self.open(DeflatedZip.bytes(members), .refused, "compression bomb")
  }

  @Test func manySmallBombs() throws {
    let member = DeflatedZip.member(start: [], zeros: 30 << 20)
    try Self.open(
      DeflatedZip.bytes((0..<10).map { ("a\($0).npy", member) }), .refused, "compression bomb")
  }

  @Test func endlessMemo() throws {
    let pickle = [0x80, 4] + Array("]".utf8) + [UInt8](repeating: 0x94, count: 20 << 20) + Array(".".utf8)
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("memo.pth").path
      try AtomicFile.write(to: path) { file in
        var zip = ZipWriter(to: file)
        try zip.add("archive/data.pkl") { write in try pickle.withUnsafeBytes(write) }
        try zip.finish()
      }
      try Self.open(
        try Array(Data(contentsOf: URL(fileURLWithPath: path))), .malformed, "memorizes more than")
    }
  }

  /// The system allows no larger files, as on a disk that is full.
  @Test(arguments: WeightFormat.writable) func disksWithoutRoom(_ format: WeightFormat) throws {
    let archive = try WeightArchive([("layer/kernel", Tensor.zeros([256, 1024]))])
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("large").path
      let error = #expect(throws: WeightsError.self) {
        try withFileSizeLimit(200_000) { try WeightFile.write(archive, to: path, as: format) }
      }
      #expect(error?.kind == .unwritable && error?.file == path, "\(String(describing: error))")
      #expect(error?.reason.contains("File too large") == true, "\(String(describing: error))")
      let left = try contents(folder)
      #expect(left.isEmpty)
    }
  }

  private func withFileSizeLimit(_ count: UInt, _ body: () throws -> Void) throws {
    // What exceeds the limit would end the process otherwise.
    signal(SIGXFSZ, SIG_IGN)
    var old = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old)
    var limit = old
    limit.rlim_cur = rlim_t(count)
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    defer { setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old) }
    try body()
  }
}
