import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

@Suite struct LoadReportTests {
  @Test func listsEverythingInOneError() throws {
    let archive = try WeightArchive([
      ("conv1.weight", ramp([2, 3])), ("fc.weigth", ramp([4])),
      ("bn1.num_batches_tracked", Tensor([Int64(1)])),
      ("conv2.weight", ramp([5])), ("extra", ramp([1])),
    ])
    let report = LoadReport(
      expected: ["conv1.weight": [2, 3], "fc.weight": [4], "conv2.weight": [6], "fc.bias": [9]],
      archive: archive)
    #expect(report.matched == ["conv1.weight"])
    #expect(report.missing.map(\.name) == ["fc.bias", "fc.weight"])
    #expect(report.missing.last?.candidates.first == "fc.weigth")
    #expect(report.misshaped.map(\.name) == ["conv2.weight"])
    #expect(report.unexpected == ["fc.weigth", "extra"])
    let error = #expect(throws: WeightsError.self) { try report.requireComplete(file: "x.h5") }
    for part in [
      "x.h5: the weights do not fit the model: 1 tensors match, 2 are missing, 2 unexpected, 1 of another shape",
      "missing fc.weight 4 (similar: fc.weigth", "conv2.weight: expected 6, the file has 5",
      "unexpected extra",
    ] { #expect(error?.description.contains(part) == true, "\(error?.description ?? "")") }
  }

  /// A file of another model is told in a few lines.
  @Test func longListsAreCut() throws {
    let archive = try WeightArchive((0..<200).map { ("theirs\($0)", ramp([1])) })
    let expected = (0..<300).map { ("ours\($0).weight", [2] as Shape) }
    let report = LoadReport(
      expected: Dictionary(uniqueKeysWithValues: expected), archive: archive, absent: (0..<9).map(String.init)
    )
    let error = #expect(throws: WeightsError.self) { try report.requireComplete() }
    let lines = error?.reason.split(separator: "\n") ?? []
    #expect(lines.count <= 13)
    for line in ["  and 297 more missing", "  and 197 more unexpected", "  and 6 more absent"] {
      #expect(lines.contains { $0 == line })
    }
  }

  @Test func unexpectedTensorsMayBeAllowed() throws {
    let report = LoadReport(
      expected: ["a": [1]], archive: try WeightArchive([("a", ramp([1])), ("b", ramp([1]))]))
    #expect(report.isComplete)
    try report.requireComplete(allowingUnexpected: true)
    #expect(throws: WeightsError.self) { try report.requireComplete() }
  }
}

@Suite struct WritingTests {
  private struct Interrupted: Error {}

  @Test func anInterruptedWriteLeavesTheOldFile() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.npy").path
      try NumPyFile.writeArray(ramp([3]), to: path)
      #expect(throws: Interrupted.self) {
        try AtomicFile.write(to: path) { file in
          try file.append([1, 2, 3])
          throw Interrupted()
        }
      }
      #expect(areIdentical(try NumPyFile.readArray(path), ramp([3])))
      #expect(try contents(folder) == ["a.npy"])
    }
  }

  @Test(arguments: WeightFormat.ofAnyTensors) func anUnwritablePlaceIsNamed(_ format: WeightFormat) throws {
    let archive = try WeightArchive([("conv1/kernel", ramp([1, 1, 2, 2]))])
    try withTemporaryFolder { folder in
      for path in [folder.appendingPathComponent("missing/a").path, folder.path] {
        let error = #expect(throws: WeightsError.self) { try WeightFile.write(archive, to: path, as: format) }
        #expect(error?.kind == .unwritable)
        #expect(error?.file == path)
      }
      let left = try contents(folder)
      #expect(left.isEmpty)
    }
  }

  @Test func unknownFilesAreNamed() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("page.h5").path
      try Data("<!DOCTYPE html><html>".utf8).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
      #expect(error?.description.contains("begins with the bytes 3c 21") == true)
      try Data([0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0]).write(
        to: URL(fileURLWithPath: path))
      #expect(
        throws: WeightsError(
          .unsupported, "the pickle at byte 14: the instruction 0x0 is not known", file: path)
      ) {
        try WeightFile.open(path)
      }
      #expect(throws: WeightsError.self) { try WeightFile.open(folder.appendingPathComponent("none").path) }
      #expect(throws: WeightsError.self) { try WeightFile.open(folder.path) }
    }
  }
}
