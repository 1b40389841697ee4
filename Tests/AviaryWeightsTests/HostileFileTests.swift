import AviaryTensors
import CHDF5
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
      if let peak { #expect(peak < 256 << 20) }
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
        try Array(Data(contentsOf: URL(fileURLWithPath: path))), .refused, "bytes of memory")
    }
  }

  /// An archive inside an archive spends what the outer one may.
  @Test func nestedBombs() throws {
    let inner = DeflatedZip.bytes(
      (0..<6).map { ("a\($0).npy", DeflatedZip.member(start: [], zeros: 30 << 20)) })
    let small = DeflatedZip.member(start: Array("{}".utf8), zeros: 0)
    try Self.open(
      DeflatedZip.bytes([
        ("config.json", small), ("model.weights.npz", DeflatedZip.member(start: inner, zeros: 0)),
      ]), .refused, "compression bomb")
  }

  /// Marks, places on the stack and values of a pickle that unpacks to just less than a bomb; and a configuration of nothing but values.
  @Test(arguments: [UInt8(ascii: "("), UInt8(ascii: "N"), UInt8(ascii: "]")])
  func repeatedInstructions(_ code: UInt8) throws {
    let pickle = DeflatedZip.member(start: [], zeros: 100 << 20, filler: code)
    try Self.open(DeflatedZip.bytes([("archive/data.pkl", pickle)]), .refused, "as no weights do")
  }

  /// One text of 100 kB to which 4000 names of layers refer.
  @Test func sharedTexts() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("texts.h5").path
      let length = 100_001
      let texts = [String(repeating: "a", count: length)] + Array(repeating: "b", count: 3999)
      try HDF5Library.run {
        let file = try HDF5Handle(H5Fcreate(path, aviary_h5_truncate(), 0, 0), .unwritable, "")
        var extent = hsize_t(texts.count)
        let space = try HDF5Handle(H5Screate_simple(1, &extent, nil), .unwritable, "")
        let type = try HDF5Handle(H5Tcopy(aviary_h5_type_string()), .unwritable, "")
        H5Tset_size(type.id, aviary_h5_variable_size())
        let attribute = try HDF5Handle(
          H5Acreate2(file.id, "layer_names", type.id, space.id, 0, 0), .unwritable, "")
        var pointers = texts.map { UnsafePointer(strdup($0)) }
        #expect(H5Awrite(attribute.id, type.id, &pointers) >= 0)
        for pointer in pointers { free(UnsafeMutableRawPointer(mutating: pointer)) }
      }
      var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
      let mark = withUnsafeBytes(of: UInt32(length).littleEndian) { Array($0) }
      let place = try #require(
        bytes.indices.dropLast(32).first { start in
          bytes[start..<(start + 4)].elementsEqual(mark)
            && bytes[(start + 16)..<(start + 20)].elementsEqual([1, 0, 0, 0])
        })
      let reference = Array(bytes[place..<(place + 16)])
      for index in 1..<texts.count {
        bytes.replaceSubrange((place + 16 * index)..<(place + 16 * (index + 1)), with: reference)
      }
      try Self.open(bytes, .refused, "bytes of memory")
    }
  }

  /// 6000 links to one group with 400 attributes, which is read again along each.
  @Test func sharedGroups() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("links.h5").path
      try HDF5Library.run {
        let file = try HDF5Handle(H5Fcreate(path, aviary_h5_truncate(), 0, 0), .unwritable, "")
        let shared = try HDF5Handle(H5Gcreate2(file.id, "shared", 0, 0, 0), .unwritable, "")
        let space = try HDF5Handle(H5Screate(H5S_SCALAR), .unwritable, "")
        for index in 0..<400 {
          _ = try HDF5Handle(
            H5Acreate2(shared.id, "a\(index)", aviary_h5_type_int8(), space.id, 0, 0), .unwritable, "")
        }
        for index in 0..<10_000 {
          #expect(H5Lcreate_hard(file.id, "shared", file.id, "link\(index)", 0, 0) >= 0)
        }
      }
      try Self.open(try Array(Data(contentsOf: URL(fileURLWithPath: path))), .refused, "without end")
    }
  }

  /// The system allows no larger files, as on a disk that is full.
  @Test(arguments: WeightFormat.ofAnyTensors) func disksWithoutRoom(_ format: WeightFormat) throws {
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
