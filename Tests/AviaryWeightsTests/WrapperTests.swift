import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

/// Names come as the model itself has them, whatever was around it when it was saved.
@Suite struct WrapperTests {
  private static let names = ["conv1.weight", "conv1.bias", "fc.weight"]

  private static func archive(_ prefix: String, also others: [String] = []) throws -> WeightArchive {
    try WeightArchive(
      names.enumerated().map { (prefix + $0.element, ramp([2, 3], start: $0.offset)) }
        + others.map { ($0, Tensor([Int64(3)], shape: [])) })
  }

  @Test(arguments: ["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.module."])
  func areRemovedInEveryContainer(_ prefix: String) throws {
    try withTemporaryFolder { folder in
      for format in [WeightFormat.portable, .safetensors, .npz] {
        let path = folder.appendingPathComponent("weights").path
        try WeightFile.write(try Self.archive(prefix, also: ["n_averaged"]), to: path, as: format)
        let archive = try WeightFile.open(path).archive
        #expect(Set(archive.names) == Set(Self.names))
        #expect(areIdentical(archive["fc.weight"], ramp([2, 3], start: 2)))
        #expect(archive.metadata["removed_prefix"] == prefix)
        #expect(archive.metadata["not_taken"] == "n_averaged")
      }
    }
  }

  @Test func anIndexNamesTensorsAsItsFilesDo() throws {
    try withTemporaryFolder { folder in
      let shard = folder.appendingPathComponent("a.safetensors").path
      try WeightFile.write(try Self.archive("module."), to: shard, as: .safetensors)
      let places = Self.names.map { "\"module.\($0)\":\"a.safetensors\"" }.joined(separator: ",")
      let index = folder.appendingPathComponent("model.safetensors.index.json")
      try Data("{\"weight_map\":{\(places)}}".utf8).write(to: index)
      #expect(Set(try WeightFile.open(folder.path).archive.names) == Set(Self.names))
    }
  }

  @Test func whatIsNotCommonStays() throws {
    for archive in [
      try Self.archive("module.", also: ["criterion.weight"]), try Self.archive("", also: ["n_averaged"]),
      try Self.archive("model."),
    ] {
      let result = try archive.withoutWrappers()
      #expect(result.names == archive.names && result.metadata.isEmpty)
    }
  }

  @Test func sharedBeginningsCanBeTakenOff() throws {
    let archive = try Self.archive("model._orig_mod.", also: ["criterion.weight"])
    let candidates = archive.withoutSharedPrefixes()
    #expect(candidates.first?.prefix == "model.")
    let inner = candidates.first { $0.prefix == "model._orig_mod." }?.archive
    #expect(inner?.names == Self.names + ["criterion.weight"])
    #expect(inner?.metadata["removed_prefix"] == "model._orig_mod.")
    // Two models side by side would get the same names.
    let double = try WeightArchive([("a.w", ramp([1])), ("w", ramp([1]))])
    #expect(double.withoutSharedPrefixes().isEmpty)
  }

  @Test func hiddenFilesAreNoWeights() throws {
    try withTemporaryFolder { folder in
      try WeightFile.write(
        try Self.archive(""), to: folder.appendingPathComponent("model.safetensors").path, as: .safetensors)
      try Data([0, 5, 22, 7]).write(to: folder.appendingPathComponent("._model.safetensors"))
      #expect(try WeightFile.open(folder.path).archive.count == 3)
    }
  }
}
