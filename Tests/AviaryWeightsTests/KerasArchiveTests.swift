import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

@Suite struct KerasArchiveTests {
  @Test(arguments: ["small.keras", "small_deflated.keras", "keras_shards/small.weights.json", "keras_shards"])
  func readsTheWeights(_ name: String) throws {
    let file = try WeightFile.open(Fixture.path(name))
    #expect(file.format == (name.hasSuffix(".keras") ? .kerasZip : .kerasShards))
    let expected = try NumPyFile.readArchive(Fixture.path("keras3_expected.npz"))
    let archive = try file.archive.withCanonicalKerasNames()
    #expect(areIdentical(archive, expected), "\(archive.names) \(expected.names)")
    // The layers are in the order of the one file that Keras would have written.
    let whole = try WeightFile.open(Fixture.path("keras3.weights.h5")).archive
    #expect(file.archive.keras?.layers.map(\.weights) == whole.keras?.layers.map(\.weights))
  }

  @Test func takesNamesAndClassesFromTheConfiguration() throws {
    let archive = try WeightFile.open(Fixture.path("flat_nameless.keras")).archive
    let layers = try #require(archive.keras?.layers.filter { !$0.weights.isEmpty })
    #expect(layers.map(\.name) == ["first", "second"])
    #expect(layers.map(\.className) == ["dense", "dense"])
    #expect(archive.keras?.version?.hasPrefix("3.") == true)
    #expect(areIdentical(try archive.withCanonicalKerasNames()["second/kernel"], ramp([2, 1])))
  }

  @Test func refusesAnArchiveWithoutWeights() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.keras").path
      try AtomicFile.write(to: path) { file in
        var zip = ZipWriter(to: file)
        try zip.add("config.json") { write in try Array("{}".utf8).withUnsafeBytes(write) }
        try zip.finish()
      }
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
      #expect(error?.description.contains("model.weights.h5") == true)
    }
  }
}

@Suite struct ShardTests {
  private static func write(
    _ folder: URL, shards: [(String, WeightArchive)], map: String
  ) throws -> String {
    for (name, archive) in shards {
      try WeightFile.write(archive, to: folder.appendingPathComponent(name).path, as: .safetensors)
    }
    let path = folder.appendingPathComponent("model.safetensors.index.json")
    try Data("{\"metadata\": {\"total_size\": 40}, \"weight_map\": {\(map)}}".utf8).write(to: path)
    return path.path
  }

  private static func shards() throws -> [(String, WeightArchive)] {
    [
      ("model-1.safetensors", try WeightArchive([("a", ramp([2, 3])), ("b", ramp([3]))])),
      ("model-2.safetensors", try WeightArchive([("c", ramp([1], start: 5))])),
    ]
  }

  private static let good =
    #""c": "model-2.safetensors", "a": "model-1.safetensors", "b": "model-1.safetensors""#

  @Test func readsByIndexAndByFolder() throws {
    try withTemporaryFolder { folder in
      let index = try Self.write(folder, shards: try Self.shards(), map: Self.good)
      for path in [index, folder.path] {
        let file = try WeightFile.open(path)
        #expect(file.format == .shards)
        #expect(file.path == index)
        #expect(file.archive.names == ["c", "a", "b"])
        #expect(areIdentical(file.archive["a"], ramp([2, 3])))
        #expect(areIdentical(file.archive["c"], ramp([1], start: 5)))
      }
    }
  }

  /// `pytorch_model.bin.index.json`: the shards may be of any format.
  @Test func readsShardsOfPyTorch() throws {
    try withTemporaryFolder { folder in
      for name in ["tensor.pth", "ema.pth"] {
        try Data(try Fixture.bytes(name)).write(to: folder.appendingPathComponent(name))
      }
      let index = try Self.write(folder, shards: [], map: #""a": "ema.pth", "tensor": "tensor.pth""#)
      let archive = try WeightFile.open(index).archive
      #expect(archive.names == ["a", "tensor"])
      #expect(areIdentical(archive["tensor"], ramp([3])))
    }
  }

  @Test func readsTheOneFileOfAFolder() throws {
    try withTemporaryFolder { folder in
      let archive = try Self.shards()[0].1
      try WeightFile.write(archive, to: folder.appendingPathComponent("x.safetensors").path, as: .safetensors)
      #expect(areIdentical(try WeightFile.open(folder.path).archive, archive))
      try WeightFile.write(archive, to: folder.appendingPathComponent("y.safetensors").path, as: .safetensors)
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(folder.path) }
      #expect(error?.description.contains("several") == true)
    }
  }

  @Test(arguments: [
    (good + #", "d": "model-3.safetensors""#, "\"model-3.safetensors\", which the index names, is missing"),
    (good + #", "d": "model-2.safetensors""#, "\"d\" is not in"),
    (#""c": "model-2.safetensors", "a": "model-1.safetensors""#, "does not list: \"b\""),
    (#""a": "model-2.safetensors", "b": "model-1.safetensors""#, "\"a\" is not in"),
    (good + #", "d": "../secret.safetensors""#, "not a file beside the index"),
    (good + #", "d": "/etc/passwd""#, "not a file beside the index"),
    (good + #", "d": "..""#, "not a file beside the index"),
    (good + #", "d": 3"#, "not the name of a file"), (good + ", " + good, "occurs twice"),
    (good + #", "d": "model.safetensors.index.json""#, "leads to an index"),
  ])
  func refuses(_ map: String, message: String) throws {
    try withTemporaryFolder { folder in
      let index = try Self.write(folder, shards: try Self.shards(), map: map)
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(index) }
      #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
      #expect(error?.file?.hasPrefix(folder.path) == true)
    }
  }

  @Test func refusesATensorInTwoFiles() throws {
    try withTemporaryFolder { folder in
      var shards = try Self.shards()
      shards[1].1["a"] = ramp([2])
      let index = try Self.write(folder, shards: shards, map: Self.good)
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(index) }
      #expect(error?.description.contains("in two files") == true)
    }
  }

  @Test func refusesOtherJSON() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("x.json")
      try Data("{\"layers\": []}".utf8).write(to: path)
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path.path) }
      #expect(error?.description.contains("weight_map") == true)
    }
  }
}
