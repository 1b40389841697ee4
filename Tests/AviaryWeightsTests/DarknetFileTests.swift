import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

@Suite("darknet's .weights")
struct DarknetFileTests {
  @Test("both headers are read, and the numbers behind them")
  func headers() throws {
    let file = try WeightFile.open(Fixture.path("small.weights"))
    #expect(file.format == .darknet && file.archive.names == ["weights"])
    #expect(file.archive.darknet == DarknetHeader(seen: 64_000))
    #expect(file.archive["weights"]?.values() == (0..<12).map { Float($0) / 4 })
    let old = try WeightFile.open(Fixture.path("old.weights")).archive
    #expect(old.darknet == DarknetHeader(major: 0, minor: 1, revision: 0, seen: 640))
    #expect(old["weights"]?.values() == [1, 2, 3])
  }

  @Test("what is read is written again to the same bytes", arguments: ["small.weights", "old.weights"])
  func roundTrip(_ name: String) throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent(name).path
      try WeightFile.write(try WeightFile.open(Fixture.path(name)).archive, to: path, as: .darknet)
      #expect(try Array(Data(contentsOf: URL(fileURLWithPath: path))) == Fixture.bytes(name))
    }
  }

  @Test("tensors in no order of a .cfg, and names of other formats, are refused")
  func refused() throws {
    try withTemporaryFolder { folder in
      let archive = try WeightArchive([("a", Tensor([1, 2] as [Float]))])
      let error = #expect(throws: WeightsError.self) {
        try WeightFile.write(archive, to: folder.appendingPathComponent("a.weights").path, as: .darknet)
      }
      #expect(error?.reason.contains("in the order of a .cfg") == true)
      var stream = archive
      stream.darknet = DarknetHeader()
      #expect(throws: WeightsError.self) {
        try WeightFile.write(stream, to: folder.appendingPathComponent("a.pth").path, as: .darknet)
      }
    }
  }

  @Test("a file that ends in its header or within a number says so", arguments: [14, 18, 22])
  func truncated(_ count: Int) throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("cut.weights").path
      try Data(try Fixture.bytes("small.weights").prefix(count)).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
      #expect(error?.kind == .truncated && error?.file == path)
    }
  }
}
