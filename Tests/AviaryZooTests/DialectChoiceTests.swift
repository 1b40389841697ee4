import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import Testing

@testable import AviaryZoo

/// Dialects that no tensor tells apart, and files that only one of several dialects can read.
@Suite("The choice of a dialect")
struct DialectChoiceTests {
  private func temporary<Result>(_ ending: String, _ body: (String) throws -> Result) rethrows -> Result {
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)\(ending)")
      .path
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
  }

  @Test("torchvision's second weights look like the first; the name chooses, and portable files say it")
  func retrained() throws {
    let untrained = try withRandomSeed(1) { try Zoo.untrained(try Catalogue.entry("mobilenet_v2")) }
    let tensors = untrained.model.stateEntries.map { (name: $0.name, tensor: $0.value) }
    try temporary(".safetensors") { path throws in
      try WeightFile.write(try WeightArchive(tensors), to: path, as: .safetensors)
      let found = try #require(Zoo.identification(of: WeightFile.open(path).archive))
      #expect(found.dialect.name == "tv_v1" && found.alike == ["tv_v2"])
      let first = try Zoo.load("mobilenet_v2", weights: path)
      #expect(first.dialect.name == "tv_v1" && first.preprocessing.resize == .shortSide(256))
      let second = try Zoo.load("mobilenet_v2.tv_v2", weights: path)
      #expect(second.dialect.name == "tv_v2" && second.preprocessing == .torchvisionV2)
      // Converted from Keras to a plain file, weights have these names as well.
      #expect(try Zoo.load("mobilenet_v2.keras", weights: path).dialect.name == "keras")
      #expect(throws: WeightsError.self) { try Zoo.load("mobilenet_v3_large.tv_v2", weights: path) }
      #expect(throws: UnknownWeights.self) { try Zoo.load("mobilenet_v2.tv_v3", weights: path) }

      try second.save(to: path)
      let again = try Zoo.load("mobilenet_v2", weights: path)
      #expect(again.dialect.name == "tv_v2" && again.preprocessing == .torchvisionV2)
      let error = #expect(throws: WeightsError.self) { try Zoo.load("mobilenet_v2.tv_v1", weights: path) }
      #expect(error?.description.contains("tv_v2, but mobilenet_v2 was to be read as tv_v1") == true)
    }
  }

  @Test(
    "Keras' files of both LeNets load, by names and by position alone", arguments: ["lenet5", "keras_wide"])
  func leNets(dialect name: String) throws {
    let dialect = try #require(try Catalogue.entry("lenet").dialect(named: name))
    let model = withRandomSeed(1) { dialect.make(10) }
    let ours = try WeightArchive(model.stateEntries.map { ($0.name, $0.value) })
    let theirs = try #require(try dialect.loadNameMap()).exported(ours)
    #expect(theirs.unmatched.isEmpty)
    for (ending, format) in [(".h5", WeightFormat.kerasWeights), (".weights.h5", .kerasPaths)] {
      try temporary(ending) { path throws in
        try WeightFile.write(theirs.archive, to: path, as: format)
        let loaded = try Zoo.load("lenet", weights: path)
        #expect(loaded.dialect.name == name, "\(ending)")
        for entry in loaded.model.stateEntries {
          #expect(entry.value.values() == ours[entry.name]?.values(), "\(ending) \(entry.name)")
        }
      }
    }
  }
}
