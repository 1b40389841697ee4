import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

@Suite struct KerasFileTests {
  // MARK: Reading

  @Test func readsKeras1() throws {
    let file = try WeightFile.open(Fixture.path("keras1_style.h5"))
    #expect(file.format == .kerasWeights)
    #expect(file.archive.keras?.version == nil)
    #expect(file.archive.keras?.layers.map(\.name) == ["input_1", "block1_conv1", "bn", "fc1"])
    #expect(areIdentical(file.archive["block1_conv1/block1_conv1_W_1:0"], ramp([3, 3, 2, 4])))
    #expect(
      try file.archive.withCanonicalKerasNames().names == [
        "block1_conv1/kernel", "block1_conv1/bias", "bn/gamma", "bn/beta", "bn/moving_mean",
        "bn/moving_variance",
        "fc1/kernel", "fc1/bias",
      ])
  }

  @Test func readsKeras2WithNestedModelAndSplitAttributes() throws {
    let file = try WeightFile.open(Fixture.path("keras2_style.h5"))
    #expect(file.format == .kerasModel)
    #expect(file.archive.keras?.version == "2.4.0")
    #expect(file.archive.keras?.modelConfig == #"{"class_name": "Functional"}"#)
    #expect(file.archive.count == 7)
    #expect(areIdentical(file.archive["conv2d_12/conv2d_12/kernel:0"], ramp([1, 1, 3, 2], start: 30)))
    #expect(
      try file.archive.withCanonicalKerasNames().names == [
        "conv1/kernel", "conv1_bn/beta", "conv1_bn/moving_mean", "conv2d_7/kernel", "conv2d_7/bias",
        "conv2d_12/kernel", "conv2d_12/bias",
      ])
  }

  @Test(arguments: ["keras3_model.h5", "keras3.weights.h5"]) func readsKeras3(_ name: String) throws {
    let expected = try NumPyFile.readArchive(Fixture.path("keras3_expected.npz"))
    let archive = try WeightFile.open(Fixture.path(name)).archive.withCanonicalKerasNames()
    #expect(areIdentical(archive, expected), "\(archive.names) \(expected.names)")
  }

  /// As TensorFlow 2.13 wrote them: another name for the list of layers, and no names of layers.
  @Test func readsOlderAttributePaths() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("old.weights.h5").path
      try HDF5Writer.write(to: path, sizes: []) { root in
        for (index, layer) in ["conv2d_10", "conv2d_2", "dropout/seed_generator", "sequential/layers/dense"]
          .enumerated()
        {
          let vars = try root.group("_layer_checkpoint_dependencies/\(layer)/vars")
          try vars.write(ramp([1, 1, 2, 2], start: index), to: "0")
        }
        try root.group("optimizer/vars").write(ramp([3]), to: "0")
      }
      let file = try WeightFile.open(path)
      #expect(file.format == .kerasPaths)
      #expect(file.archive.count == 4)
      #expect(file.archive.keras?.layers.first?.name == "conv2d_2")
      let names = try file.archive.withCanonicalKerasNames().names
      #expect(names == ["conv2d_2/kernel", "conv2d_10/kernel", "dense/kernel"])
    }
  }

  @Test func severalThreadsMayWrite() async throws {
    let archive = try WeightFile.open(Fixture.path("keras1_style.h5")).archive
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("aviary-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<16 {
        let path = folder.appendingPathComponent("\(index % 4).h5").path
        group.addTask {
          try WeightFile.write(archive, to: path, as: .kerasWeights)
          #expect(areIdentical(try WeightFile.open(path).archive, archive))
        }
      }
      try await group.waitForAll()
    }
  }

  @Test(arguments: ["bfloat16_model.h5", "bfloat16.weights.h5"]) func readsBFloat16(_ name: String) throws {
    let archive = try WeightFile.open(Fixture.path(name)).archive.withCanonicalKerasNames()
    #expect(areIdentical(archive["fc/kernel"], ramp([3, 2]).cast(to: .bfloat16)))
    #expect(areIdentical(archive["fc/bias"], ramp([2], start: 6).cast(to: .bfloat16)))
  }

  @Test func readsOtherHDF5() throws {
    let file = try WeightFile.open(Fixture.path("flat.h5"))
    #expect(file.format == .hdf5)
    let archive = file.archive
    #expect(areIdentical(archive["layer10/x"], ramp([2, 3])))
    #expect(areIdentical(archive["layer2/x"], ramp([2, 3])))
    #expect(areIdentical(archive["packed"], ramp([64, 8])))
    #expect(areIdentical(archive["double"], ramp([4])))
    #expect(areIdentical(archive["half"], ramp([4]).cast(to: .float16)))
    #expect(archive["small"]?.values(of: Int32.self) == [-3, 4])
    #expect(archive["wide"]?.values(of: Int64.self) == [7, 1 << 40])
    #expect(archive["flags"]?.values(of: Bool.self) == [true, false, true])
    #expect(archive["scalar"]?.item() == 2.5)
    #expect(archive["nothing"]?.shape == [0, 3])
    #expect(archive.metadata["ignored"] == "text")
    let layers = archive.names.filter { $0.hasPrefix("layer") }
    #expect(layers == ["layer2/x", "layer10/x"])
    #expect(areIdentical(try WeightFile.open(Fixture.path("latest.h5")).archive["layer2/x"], ramp([3])))
  }

  @Test(arguments: [
    ("hostile_external_link.h5", "external link"), ("hostile_soft_link.h5", "soft link"),
    ("hostile_external_data.h5", "other files"), ("hostile_virtual.h5", "virtual"),
    ("hostile_bomb.h5", "dataset"), ("hostile_circle.h5", "nested deeper"),
  ])
  func refuses(_ name: String, message: String) throws {
    let error = #expect(throws: WeightsError.self) { try WeightFile.open(Fixture.path(name)) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }

  @Test func saysWhatIsMissingOfATruncatedFile() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("cut.h5").path
      try Data(try Fixture.bytes("keras1_style.h5").prefix(4000)).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try WeightFile.open(path) }
      #expect(
        error?.description == "\(path): truncated: the superblock promises 9776 bytes, the file has 4000")
    }
  }

  // MARK: Writing

  @Test(arguments: ["keras1_style.h5", "keras2_style.h5", "keras3_model.h5"])
  func legacyRoundTripKeepsEverything(_ name: String) throws {
    let original = try WeightFile.open(Fixture.path(name)).archive
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("again.h5").path
      try WeightFile.write(original, to: path, as: .kerasWeights)
      let again = try WeightFile.open(path).archive
      #expect(again.names == original.names)
      #expect(areIdentical(again, original))
      #expect(again.keras?.layers.map(\.weights) == original.keras?.layers.map(\.weights))
      #expect(again.keras?.version == original.keras?.version)
    }
  }

  @Test func attributePathsRoundTripAndThroughPortable() throws {
    let original = try WeightFile.open(Fixture.path("keras3.weights.h5")).archive
    try withTemporaryFolder { folder in
      let portable = folder.appendingPathComponent("a.safetensors").path
      try WeightFile.write(original, to: portable, as: .portable)
      let path = folder.appendingPathComponent("again.weights.h5").path
      try WeightFile.write(try WeightFile.open(portable).archive, to: path, as: .kerasPaths)
      let again = try WeightFile.open(path)
      #expect(again.format == .kerasPaths)
      #expect(areIdentical(again.archive, original))
      #expect(again.archive.keras == original.keras)
    }
  }

  @Test func everyTypeAndLongListsSurviveHDF5() throws {
    var archive = WeightArchive()
    for index in 0..<2500 {
      try archive.append("a_layer_with_a_rather_long_name_\(index)/kernel", ramp([1], start: index))
    }
    try archive.append("half/kernel", ramp([5]).cast(to: .float16))
    try archive.append("brain/kernel", ramp([5]).cast(to: .bfloat16))
    try archive.append("ids/kernel", Tensor([Int64(-3)]))
    try archive.append("small/kernel", Tensor([Int32(-3)]))
    try archive.append("byte/kernel", Tensor([UInt8(200)]))
    try archive.append("flags/kernel", Tensor([true, false]))
    try archive.append("scalar/kernel", Tensor(Float(3)))
    try archive.append("none/kernel", Tensor.zeros([0]))
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.h5").path
      try WeightFile.write(archive, to: path, as: .kerasWeights)
      let again = try WeightFile.open(path).archive.withCanonicalKerasNames()
      #expect(again.names == archive.names)
      archive["brain/kernel"] = ramp([5])
      #expect(areIdentical(again, archive))
    }
  }

  @Test func nestedModelsDoNotChangeFormatSilently() throws {
    let nested = try WeightFile.open(Fixture.path("keras2_style.h5")).archive
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("a.weights.h5").path
      let error = #expect(throws: WeightsError.self) {
        try WeightFile.write(nested, to: path, as: .kerasPaths)
      }
      #expect(error?.kind == .unsupported)
      #expect(error?.file == path)
      let left = try contents(folder)
      #expect(left.isEmpty)
    }
  }
}
