import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

@Suite struct NumPyTests {
  @Test func readsWhatNumPyWrites() throws {
    #expect(areIdentical(try NumPyFile.readArray(Fixture.path("fortran.npy")), ramp([2, 3, 4])))
    #expect(areIdentical(try NumPyFile.readArray(Fixture.path("big_endian.npy")), ramp([5])))
    #expect(areIdentical(try NumPyFile.readArray(Fixture.path("version2.npy")), ramp([3])))
    let archive = try NumPyFile.readArchive(Fixture.path("compressed.npz"))
    #expect(archive.names == ["zeros", "ramp"])
    #expect(areIdentical(archive["ramp"], ramp([100])))
    #expect(areIdentical(archive["zeros"], Tensor.zeros([32, 32])))
  }

  @Test func refusesPickledObjects() throws {
    let error = #expect(throws: WeightsError.self) { try WeightFile.open(Fixture.path("objects.npy")) }
    #expect(error?.kind == .unsupported)
    #expect(error?.description.contains("unpickled") == true)
  }

  @Test func roundTrips() throws {
    let archive = try WeightArchive([
      ("a/weight", ramp([2, 3])), ("half", ramp([5]).cast(to: .float16)),
      ("brain", ramp([3]).cast(to: .bfloat16)),
      ("ids", Tensor([Int64(7)])), ("small", Tensor([Int32(-7)])), ("byte", Tensor([UInt8(9)])),
      ("flags", Tensor([true, false])), ("scalar", Tensor(Float(1))), ("none", Tensor.zeros([0, 2])),
      ("turned", ramp([2, 3]).permuted([1, 0])),
    ])
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.npz").path
      try NumPyFile.writeArchive(archive, to: path)
      let file = try WeightFile.open(path)
      #expect(file.format == .npz)
      #expect(file.archive.names == archive.names)
      #expect(areIdentical(file.archive, archive))
      for (index, entry) in archive.entries.enumerated() {
        let path = folder.appendingPathComponent("\(index).npy").path
        try NumPyFile.writeArray(entry.tensor, to: path)
        #expect(areIdentical(try NumPyFile.readArray(path), entry.tensor))
      }
    }
  }

  /// Texts, Python objects, other files, and the notes of macOS are no weights; what is left out is listed.
  @Test func takesTheArraysOfNumbers() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("mixed.npz").path
      func header(_ code: String) -> [UInt8] {
        let text = "{'descr': '\(code)', 'fortran_order': False, 'shape': (1,), }\n"
        return NpyHeader.magic + [1, 0, UInt8(text.utf8.count), 0] + Array(text.utf8)
      }
      func write(_ members: [(String, [UInt8])]) throws {
        try AtomicFile.write(to: path) { file in
          var zip = ZipWriter(to: file)
          for (name, bytes) in members { try zip.add(name) { write in try bytes.withUnsafeBytes(write) } }
          try zip.finish()
        }
      }
      let others = [
        ("classes.npy", header("<U4") + [UInt8](repeating: 0, count: 16)),
        ("objects.npy", header("|O") + [0x80, 2]), ("readme.txt", Array("hello".utf8)),
        ("__MACOSX/._a.npy", [0, 5, 22, 7]), ("folder/._b.npy", [0, 5, 22, 7]),
      ]
      try write([("a.npy", header("|u1") + [7]), ("folder/", [])] + others)
      let file = try WeightFile.open(path)
      #expect(file.format == .npz && file.archive.names == ["a"])
      #expect(file.archive.metadata["not_taken"] == others.map(\.0).joined(separator: " "))
      try write(others)
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
      #expect(error?.reason.contains("element type \"<U4\"") == true, "\(String(describing: error))")
      // Damage is no reason to leave a member out.
      try write([("a.npy", header("|u1") + [7]), ("b.npy", header("|u1"))])
      #expect(throws: WeightsError.self) { try WeightFile.open(path) }
    }
  }

  @Test func refusesALyingZip() throws {
    // The unpacked size of the first member, in both places that state it, made far larger than deflate can gain.
    var bytes = try Fixture.bytes("compressed.npz")
    let directory = try ZipDirectory(window(bytes))
    let size = withUnsafeBytes(of: UInt32(directory.members[0].byteCount).littleEndian) { Array($0) }
    var changes = 0
    for position in bytes.indices.dropLast(4) where Array(bytes[position..<(position + 4)]) == size {
      bytes.replaceSubrange(position..<(position + 4), with: [0xFF, 0xFF, 0xFF, 0x7F])
      changes += 1
    }
    #expect(changes > 0)
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("bomb.npz").path
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
      #expect(error?.kind == .refused)
    }
  }
}
