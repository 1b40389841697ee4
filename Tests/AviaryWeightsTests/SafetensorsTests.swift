import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

@Suite struct SafetensorsTests {
  /// Sizes that are and are not multiples of 64 bytes, every type, a scalar and an empty tensor.
  private static func sample() throws -> WeightArchive {
    var archive = try WeightArchive([
      ("odd", ramp([3])), ("even", ramp([4, 8])), ("half", ramp([5]).cast(to: .float16)),
      ("brain", ramp([7, 3]).cast(to: .bfloat16)), ("ids", Tensor([Int64(-1), 1 << 40])),
      ("small", Tensor([Int32.min, 5])), ("byte", Tensor([UInt8(3), 255, 0])),
      ("flags", Tensor([true, false, true])),
      ("scalar", Tensor(Float(2.5))), ("none", Tensor.zeros([0, 4])), ("quote\"\\\n ü", ramp([2])),
    ])
    archive.metadata["note"] = "tab\t and \"quotes\""
    archive.portable = PortableMetadata(model: "lenet", dialect: "keras")
    archive.portable?.configuration = ["classes": .integer(10), "pool": .string("max"), "p": .number(0.5)]
    archive.portable?.preprocessing = .init(
      height: 28, width: 28, channels: .grey, mean: [0.5], standardDeviation: [2])
    archive.portable?.labels = ["zero", "one"]
    archive.portable?.metrics = ["top1": 0.99]
    return archive
  }

  @Test func roundTripKeepsEveryBitAndField() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.safetensors").path
      let archive = try Self.sample()
      try SafetensorsFile.write(archive, to: path)
      let file = try WeightFile.open(path)
      #expect(file.format == .portable)
      #expect(areIdentical(file.archive, archive))
      #expect(file.archive.metadata == archive.metadata)
      var portable = archive.portable!
      portable.dataSHA256 = file.archive.portable?.dataSHA256
      #expect(portable.dataSHA256?.count == 64)
      #expect(file.archive.portable == portable)
      #expect(try SafetensorsFile.verify(path))
    }
  }

  @Test func dataIsAligned() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.safetensors").path
      try SafetensorsFile.write(try Self.sample(), to: path)
      let header = try SafetensorsHeader(FileWindow(try MappedFile(path: path)))
      #expect(header.dataStart % 64 == 0)
      for entry in header.entries {
        #expect(entry.range.lowerBound % (entry.range.count % 64 == 0 ? 64 : entry.format.byteCount) == 0)
      }
    }
  }

  @Test func floatsAreStoredAsAsked() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.safetensors").path
      try SafetensorsFile.write(try Self.sample(), to: path, floats: .float16)
      let archive = try SafetensorsFile.read(path)
      #expect(archive["even"]?.dtype == .float16)
      #expect(archive["ids"]?.dtype == .int64)
      #expect(archive["even"]!.cast(to: .float32).values() == ramp([4, 8]).values())
    }
  }

  @Test func readsTheReferenceWriter() throws {
    let archive = try SafetensorsFile.read(Fixture.path("reference.safetensors"))
    #expect(areIdentical(archive["b"], ramp([3, 5])))
    #expect(areIdentical(archive["a"], ramp([2], start: 15)))
    #expect(archive["ids"]?.values(of: Int64.self) == [1, 2, 3])
    #expect(archive["flag"]?.values(of: Bool.self) == [true, false])
    #expect(archive.metadata == ["format": "np", "note": "ü"])
  }

  @Test func damagedDataFailsVerification() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.safetensors").path
      try SafetensorsFile.write(try Self.sample(), to: path)
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      bytes[bytes.count - 1] ^= 1
      try bytes.write(to: URL(fileURLWithPath: path))
      #expect(throws: WeightsError.self) { try SafetensorsFile.verify(path) }
    }
  }

  /// A copy would get a digest of its own, which vouches for the damage.
  @Test func damageIsFoundBeforeItIsCopied() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.safetensors").path
      try SafetensorsFile.write(try Self.sample(), to: path)
      let whole = try WeightFile.open(path)
      try whole.requireIntact()
      #expect(whole.description.isIntact == true)
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      bytes[bytes.count - 1] ^= 1
      let damaged = folder.appendingPathComponent("b.safetensors").path
      try bytes.write(to: URL(fileURLWithPath: damaged))
      let file = try WeightFile.open(damaged)
      #expect(file.description.isIntact == false)
      let error = #expect(throws: WeightsError.self) { try file.requireIntact() }
      #expect(error?.file == damaged && error?.reason.contains("SHA-256") == true)
      try SafetensorsFile.writePlain(try Self.sample(), to: damaged)
      #expect(try WeightFile.open(damaged).description.isIntact == nil)
      // An index is as whole as its files.
      try bytes.write(to: URL(fileURLWithPath: damaged))
      let index = folder.appendingPathComponent("model.safetensors.index.json")
      let places = try Self.sample().names.map { "\"\($0)\":\"b.safetensors\"" }.joined(separator: ",")
      try Data("{\"weight_map\":{\(places)}}".utf8).write(to: index)
      #expect(throws: WeightsError.self) { try WeightFile.open(index.path).requireIntact() }
    }
  }

  @Test func aFileThatChangesWhileItIsReadIsNoticed() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.safetensors").path
      try SafetensorsFile.write(try Self.sample(), to: path)
      let file = try WeightFile.open(path)
      try file.requireUnchanged()
      // Another file in its place leaves this one as it was.
      try SafetensorsFile.write(try Self.sample(), to: path)
      try file.requireUnchanged()
      let again = try WeightFile.open(path)
      let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
      try handle.seek(toOffset: 900)
      usleep(20_000)
      try handle.write(contentsOf: [1, 2, 3])
      let error = #expect(throws: WeightsError.self) { try again.requireUnchanged() }
      #expect(error?.file == path && error?.reason == "the file changed while it was read")
      try handle.close()
      unlink(path)
      try file.requireUnchanged()
    }
  }

  /// The length of a header may begin with the byte of a brace, and an index may have a brace where a header begins.
  @Test func headersAndIndicesAreToldApart() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a").path
      var header = #"{"a":{\#(Self.f4)}}"#
      header += String(repeating: " ", count: 123 - header.utf8.count)
      try Data([123, 0, 0, 0, 0, 0, 0, 0] + header.utf8 + [0, 0, 0, 0]).write(to: URL(fileURLWithPath: path))
      #expect(try WeightFile.open(path).format == .safetensors)
      try Data(#"{"meta":{}}"#.utf8).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
      #expect(error?.reason.contains("no weight_map") == true, "\(String(describing: error))")
    }
  }

  /// What the reference reader accepts beyond what writers do.
  @Test(arguments: [
    (#"{"a":{\#(f4)}}    "#, 4), (#"{ "a" : {\#(f4), "extra": [1, {}]} }"#, 4), ("{}", 0),
    (
      #"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[3,0],"data_offsets":[4,4]}}"#,
      4
    ),
    (#"{"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},"a":{\#(f4)}}"#, 6),
    (#"{"__metadata__":null,"a":{\#(f4)}}"#, 4),
  ])
  func accepts(_ header: String, dataBytes: Int) throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("good.safetensors").path
      let prefix = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
      try Data(prefix + header.utf8 + [UInt8](repeating: 0, count: dataBytes)).write(
        to: URL(fileURLWithPath: path))
      let archive = try WeightFile.open(path).archive
      #expect(archive.byteCount == dataBytes)
      for (_, tensor) in archive.entries { tensor.withUnsafeBytes { #expect($0.allSatisfy { $0 == 0 }) } }
    }
  }

  private static let f4 = #""dtype":"F32","shape":[1],"data_offsets":[0,4]"#

  @Test(arguments: [
    (#"{"a":{\#(f4)},"a":{\#(f4)}}"#, 4, "occurs twice"),
    (#"{"a":{\#(f4),"dtype":"I32"}}"#, 4, "occurs twice"),
    (#"{"a":{\#(f4)}}"#, 8, "4 bytes follow"),
    (#" {"a":{\#(f4)}}"#, 4, "must begin with '{' at byte 8, there is the byte 0x20"),
    (#"{"__metadata__":{"a":null}}"#, 0, "not a string"),
    (#"{"a":{\#(f4)}}"#, 3, "the file has"),
    (#"{"a":{\#(f4)},"b":{\#(f4)}}"#, 4, "overlaps"),
    (#"{"a":{\#(f4)},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#, 12, "hole"),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "not possible"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "needs 8 bytes"),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, 0, "not possible"),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4,0],"data_offsets":[0,0]}}"#, 0, "not possible"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "needs 4 bytes"),
    (#"{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#, 4, "F8_E4M3"),
    (#"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}"#, 4, "64 bits"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "hole"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "needs 4 bytes"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, 8, "data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, 4, "wrong type"),
    (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, "missing"),
    (#"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#, 4, "missing"),
    (#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "missing"),
    (#"{"a":[0]}"#, 0, "not an object"), (#"{"a":null}"#, 0, "not an object"),
    (
      #"{"a":{"dtype":"F32","shape":[0],"data_offsets":[9223372036854775807,9223372036854775807]}}"#, 0,
      "needs 0"
    ),
    (#"{"a":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}}"#, -8, "does not fit into int64"),
    (#"{"__metadata__":[]}"#, 0, "not an object"), (#"{"__metadata__":{"x":null}}"#, 0, "not a string"),
    (#"{"__metadata__":{"a":"b","a":"b"}}"#, 0, "occurs twice"),
    (#"{"a":{\#(f4)},"\u0061":{\#(f4)}}"#, 4, "occurs twice"),
    (#"{"__metadata__":{"x":1}}"#, 0, "not a string"),
    (#"{"__metadata__":{"aviary":"{\"format_version\":9}"}}"#, 0, "newer"),
    (
      #"{"__metadata__":{"aviary":"{\"format_version\":1,\"num_classes\":\"x\"}"}}"#, 0,
      "\"num_classes\" is not a whole number"
    ),
    (
      #"{"__metadata__":{"aviary":"{\"format_version\":1,\"labels\":{}}"}}"#, 0, "\"labels\" is not an array"
    ),
    (
      #"{"__metadata__":{"aviary":"{\"format_version\":1,\"metrics\":[1]}"}}"#, 0,
      "\"metrics\" is not an object"
    ),
    (#"{"__metadata__":{"aviary":"[]"}}"#, 0, "metadata"),
    (#"[1]"#, 0, "not a file of weights"),
    (#"{"a": nul}"#, 0, "expected null"),
    ("{\"\u{1}\":1}", 0, "control character"),
    ("{} x", 0, "something follows"),
  ])
  func refuses(_ header: String, dataBytes: Int, message: String) throws {
    try Self.expectError(Array(header.utf8), dataBytes: dataBytes, message)
  }

  @Test func refusesDepthBadTextAndAbsurdLengths() throws {
    try Self.expectError(
      Array((#"{"a":"# + String(repeating: "[", count: 5000)).utf8), dataBytes: 0, "nested deeper")
    try Self.expectError([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D], dataBytes: 0, "UTF-8")
    try Self.expectError(Array("{}".utf8), length: 100_000_001, dataBytes: 0, "100 MB")
    try Self.expectError(Array("{}".utf8), length: 3, dataBytes: 0, "promises")
    try Self.expectError(Array("{}".utf8), length: .max, dataBytes: 0, "100 MB")
  }

  private static func expectError(
    _ header: [UInt8], length: UInt64? = nil, dataBytes: Int, _ message: String
  ) throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("bad.safetensors").path
      let prefix = withUnsafeBytes(of: (length ?? UInt64(header.count)).littleEndian) { Array($0) }
      let data = [UInt8](repeating: dataBytes < 0 ? 0xFF : 0, count: abs(dataBytes))
      try Data(prefix + header + data).write(
        to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
      #expect(error?.description.contains(message) == true, "\(error?.description ?? "no error")")
      #expect(error?.file == path)
    }
  }
}
