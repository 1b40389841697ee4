import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

@Suite struct TorchTests {
  /// What `state()` of `tools/reference/checkpoint_fixtures.py` holds.
  private static let state: KeyValuePairs = [
    "dense": ramp([3, 4]), "tied": ramp([3, 4]), "transposed": ramp([3, 4]).permuted([1, 0]),
    "row": ramp([4], start: 4), "offset": ramp([4], start: 3),
    "steps": Tensor([6, 9, 18, 21].map { Float($0) / 8 }, shape: [2, 2]),
    "expanded": Tensor([0, 1, 2, 0, 1, 2].map { Float($0) / 8 }, shape: [2, 3]),
    "channels_last": ramp([2, 3, 2, 2]),
    "half": ramp([5]).cast(to: .float16), "brain": ramp([5]).cast(to: .bfloat16), "double": ramp([5]),
    "double_column": Tensor([1, 3, 5, 7].map { Float($0) / 8 }),
    "long": Tensor([Int64(-1), 1 << 40]), "int": Tensor([Int32(-3), 4]), "short": Tensor([Int32(-3), 4]),
    "char": Tensor([Int32(-3), 4]), "byte": Tensor([UInt8(3), 255]), "bool": Tensor([true, false]),
    "scalar": Tensor(Float(2.5)), "empty": Tensor.zeros([0, 3]), "parameter": ramp([2]),
  ]

  private static func expectState(_ archive: WeightArchive) {
    #expect(archive.names == state.map(\.key))
    for (name, tensor) in state {
      #expect(archive.spec(name) == tensor.spec, "\(name)")
      #expect(areIdentical(archive[name], tensor), "\(name)")
    }
  }

  @Test(arguments: ["state.pth", "state_legacy.pth", "protocol4.pth", "protocol4_legacy.pth"])
  func readsEveryTypeAndView(_ name: String) throws {
    let file = try WeightFile.open(Fixture.path(name))
    #expect(file.format == (name.contains("legacy") ? .torchLegacy : .torchZip))
    Self.expectState(file.archive)
    #expect(file.archive.metadata.isEmpty)
  }

  @Test(arguments: ["checkpoint.pth", "checkpoint_legacy.pth"])
  func unwrapsAndSaysSo(_ name: String) throws {
    let archive = try WeightFile.open(Fixture.path(name)).archive
    Self.expectState(archive)
    #expect(
      archive.metadata == [
        "unwrapped": "state_dict", "removed_prefix": "module._orig_mod.", "checkpoint.epoch": "7",
        "checkpoint.arch": "small", "checkpoint.lr": "0.125",
      ])
  }

  @Test(arguments: ["module.pth", "module_legacy.pth"])
  func namesTheTensorsOfAPickledModel(_ name: String) throws {
    let archive = try WeightFile.open(Fixture.path(name)).archive
    let norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    let block = ["grid", "conv.weight"] + norm.map { "bn." + $0 }
    #expect(
      archive.names == ["scale"] + block.map { "blocks.0." + $0 } + block.map { "blocks.1." + $0 }
        + ["head.1.weight", "head.1.bias"])
    #expect(areIdentical(archive["blocks.0.grid"], ramp([3], start: 1)))
    #expect(archive["head.1.bias"]?.shape == [2])
  }

  @Test func prefersAveragedWeightsAndSaysSo() throws {
    let averaged = try WeightFile.open(Fixture.path("ema.pth")).archive
    #expect(areIdentical(averaged["a"], ramp([2], start: 9)))
    #expect(averaged.metadata["unwrapped"] == "ema")
    #expect(averaged.metadata["not_taken"] == "model")
    let plain = try WeightFile.open(Fixture.path("no_ema.pth")).archive
    #expect(areIdentical(plain["a"], ramp([2])))
    #expect(plain.metadata["unwrapped"] == "model")
  }

  @Test func readsOtherKindsOfCheckpoint() throws {
    let swapped = try WeightFile.open(Fixture.path("big_endian.pth")).archive
    #expect(areIdentical(swapped["a"], ramp([2, 3])))
    #expect(areIdentical(swapped["ids"], Tensor([Int64(1), 1 << 40])))
    let script = try WeightFile.open(Fixture.path("script.pth")).archive
    #expect(areIdentical(script["scale"], ramp([2])))
    #expect(areIdentical(script["shift"], ramp([3], start: 2)))
    #expect(script.metadata["torchscript"] == "true")
    // Elements 4 to 7 of the root: a tensor from the second element on of a part from the fourth on.
    let parts = try WeightFile.open(Fixture.path("parts_legacy.pth")).archive
    #expect(areIdentical(parts["part"], ramp([2, 2], start: 4)))
    #expect(try areIdentical(WeightFile.open(Fixture.path("tensor.pth")).archive["tensor"], ramp([3])))
    #expect(try areIdentical(WeightFile.open(Fixture.path("no_checksums.pth")).archive["a"], ramp([3])))
  }

  @Test(arguments: [
    ("quantised.pth", "_rebuild_qtensor"), ("sparse.pth", "_rebuild_sparse_tensor"),
    ("complex.pth", "ComplexFloatStorage"), ("no_tensors.pth", "no tensors"),
  ])
  func refuses(_ name: String, message: String) throws {
    let error = #expect(throws: WeightsError.self) { try WeightFile.open(Fixture.path(name)) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    #expect(error?.file == Fixture.path(name))
  }

  /// Packed again by a program that compresses; torch reads it.
  @Test func readsCompressedStorages() throws {
    let stored = try window(try Fixture.bytes("state.pth"))
    let members = try ZipDirectory(stored).members.map { member in
      let bytes = member.byteCount == 0 ? [] : try member.unpacked(from: stored).withBytes { Array($0) }
      return (name: member.name, member: DeflatedZip.member(start: bytes, zeros: 0))
    }
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("deflated.pth").path
      try Data(DeflatedZip.bytes(members)).write(to: URL(fileURLWithPath: path))
      Self.expectState(try WeightFile.open(path).archive)
    }
  }

  @Test func otherModelsOfACheckpointAreKept() throws {
    let archive = try WeightFile.open(Fixture.path("ema.pth")).archive
    let plain = try #require(archive.alternatives.first)
    #expect(areIdentical(plain["a"], ramp([2])))
    #expect(plain.metadata["unwrapped"] == "model" && plain.metadata["not_taken"] == "ema")
  }

  @Test func noticesDamageInTheData() throws {
    var bytes = try Fixture.bytes("state.pth")
    let dense = ramp([3, 4]).withUnsafeBytes { Array($0) }
    let place = try #require(bytes.firstRange(of: dense))
    bytes[place.lowerBound + 5] ^= 1
    try Self.expectError(bytes, "CRC-32")
  }

  static func expectError(_ bytes: [UInt8], _ message: String) throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("bad.pth").path
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
      #expect(error?.description.contains(message) == true, "\(error?.description ?? "no error")")
      #expect(error?.file == path)
    }
  }
}

/// The machine itself, on pickles written by hand.
@Suite struct PickleTests {
  private static func run(_ text: String, _ tail: [UInt8] = []) throws -> (PickleGraph, PickleReference) {
    try (Array(text.utf8) + tail).withUnsafeBytes { bytes in
      var machine = PickleMachine(bytes, ReadingBudget(fileBytes: bytes.count))
      let value = try machine.run()
      return (machine.graph, value)
    }
  }

  @Test func readsTheTextsOfProtocol0() throws {
    let (graph, value) = try Self.run("(lp0\nI12\naF1.5\naL34L\naS'a'\naVb\naI01\na(dp1\na(I1\ntag0\na.")
    let elements = try #require(graph.elements(value))
    #expect(elements.count == 9)
    #expect(graph.int(elements[0]) == 12)
    #expect(graph.int(elements[2]) == 34)
    #expect(graph.string(elements[3]) == "a")
    #expect(graph.string(elements[4]) == "b")
    // A list that holds itself.
    #expect(elements[8] == value)
  }

  @Test func nothingIsCalled() throws {
    let (graph, value) = try Self.run("cos\nsystem\n(S'exit 1'\ntR.")
    guard case .record(let record) = graph[value] else {
      Issue.record("not a record")
      return
    }
    #expect(graph.globalName(record.callee) == "os.system")
  }

  @Test(arguments: [
    ("I1\n", "truncated"), ("?.", "0x3f (?)"), ("0.", "empty"), ("e.", "mark"), ("h\u{1}.", "memo"),
    ("I1\nI2\n.", "2 values"), ("(I1\nd.", "no value"), ("I1\nI2\na.", "no list"),
    ("I1\nI2\nI3\ns.", "no dictionary"),
    ("I1\nI2\nb.", "no object"), ("Ix\n.", "not an integer"), ("X\u{7F}\u{7F}\u{7F}\u{7F}a.", "truncated"),
  ])
  func refuses(_ text: String, message: String) {
    let error = #expect(throws: WeightsError.self) { try Self.run(text) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("at byte") == true)
  }

  /// Neither reading nor looking for tensors nor releasing takes a step of the call stack per level.
  @Test func deepNestingDoesNoHarm() throws {
    let depth = 1_000_000
    let nested = String(repeating: "]", count: depth) + String(repeating: "a", count: depth - 1) + "."
    let (graph, value) = try Self.run(nested)
    #expect(graph.elements(value)?.count == 1)
    try TorchTests.expectError(Self.legacy(nested), "nested deeper")
  }

  @Test func manyWaysToTheSameValueEnd() throws {
    // Each list holds the one before it twice: 2^60 ways.
    let doubled = "]q\u{0}0" + String(repeating: "]h\u{0}ah\u{0}aq\u{0}0", count: 60) + "h\u{0}."
    try TorchTests.expectError(Self.legacy(doubled), "no tensors")
  }

  /// Containers grow one value at a time, without being copied each time.
  @Test(arguments: ["]", "}", "ccollections\nOrderedDict\n)R", "ca\nB\n)\u{7F}", "(l"])
  func timeIsLinear(_ container: String) throws {
    let fills = container.hasPrefix("}") || container.contains("OrderedDict") ? "K\u{1}Ns" : "Na"
    let bytes = Array(container.utf8).map { $0 == 0x7F ? 0x81 : $0 }
    let tail = Array(String(repeating: fills, count: 400_000).utf8) + Array(".".utf8)
    let time = try ContinuousClock().measure {
      try (bytes + tail).withUnsafeBytes { bytes in
        var machine = PickleMachine(bytes, ReadingBudget(fileBytes: bytes.count))
        let value = try machine.run()
        let count = machine.graph.entries(value)?.count ?? machine.graph.elements(value)?.count
        #expect(count == 400_000)
      }
    }
    #expect(time < .seconds(5))
  }

  /// As long as values are looked for, those that were looked at in vain are not looked at again.
  @Test(arguments: [2, 200]) func sharedValuesAreCounted(_ copies: Int) throws {
    let tensor =
      "ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI1\ntQI0\n(I1\nt(I1\ntI00\nNtR"
    // A dictionary with a tensor and much else, many times.
    let shared = "}p1\n(" + String(repeating: "K\u{1}N", count: 20_000) + "S't'\n" + tensor + "u0"
    let pickle = shared + "](" + String(repeating: "g1\n", count: copies) + "e."
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("shared.pth").path
      try AtomicFile.write(to: path) { file in
        var zip = ZipWriter(to: file)
        try zip.add("archive/data.pkl") { write in try Array(pickle.utf8).withUnsafeBytes(write) }
        try zip.add("archive/data/0") { write in try [0, 0, 0, 0].withUnsafeBytes(write) }
        try zip.finish()
      }
      if copies == 2 {
        #expect(try WeightFile.open(path).archive.names == ["0.t", "1.t"])
      } else {
        let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
        #expect(error?.kind == .refused && error?.reason.contains("without end") == true)
      }
    }
  }

  @Test func valuesAreCounted() throws {
    let lists = String(repeating: "]0", count: 2_000_000) + "N."
    try TorchTests.expectError(Self.legacy(lists), "bytes of memory")
  }

  /// `object` where the object of a checkpoint from before 1.6 is.
  private static func legacy(_ object: String) -> [UInt8] {
    let magic: [UInt8] = [
      0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
    ]
    return magic + Array("\u{2}M".utf8.dropFirst()) + [0xE9, 0x03, 0x2E] + Array("}.".utf8)
      + Array(object.utf8) + Array("].".utf8)
  }
}
