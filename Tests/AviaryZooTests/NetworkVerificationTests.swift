import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import Testing

@testable import AviaryZoo

@Suite("Verification of networks for other tasks")
struct NetworkVerificationTests {
  /// The verification of what a portable file holds, read with settings in place of the file's own.
  private func verification(
    of loaded: LoadedNetwork, examples: Shape, readWith settings: Settings
  ) throws -> Verification {
    var archive = try loaded.archive()
    archive.portable?.stages = loaded.withExamples(examples).stageStatistics().storable
    #expect(archive.portable?.stages?.isEmpty == false)
    let path = FileManager.default.temporaryDirectory.appending(
      path: "aviary-\(UUID().uuidString).safetensors"
    ).path
    defer { unlink(path) }
    try WeightFile.write(archive, to: path, as: .portable)
    let again = try Zoo.network(loaded.name, weights: path, settings: settings).withExamples(examples)
    let (stages, origin) = try #require(try again.expectedStages(isPublished: false))
    #expect(origin == .file)
    return try again.verification(against: stages, from: origin)
  }

  @Test("corners that are aligned or not are told apart, and the right reading is named")
  func corners() throws {
    for alignsCorners in [true, false] {
      let loaded = try deterministicNetwork("unet_bilinear", ["align_corners": .bool(alignsCorners)])
      let whole = try verification(of: loaded, examples: [3, 32, 48], readWith: [:])
      #expect(whole.firstDivergence == nil && whole.fittingReadings.isEmpty && whole.rows.count > 10)
      let other = try verification(
        of: loaded, examples: [3, 32, 48], readWith: ["align_corners": .bool(!alignsCorners)])
      // The last before the upsampling, which has no weights and counts as its end.
      #expect(other.firstDivergence == "down4.maxpool_conv")
      #expect(other.fittingReadings == ["align_corners is \(alignsCorners)"])
      #expect(!other.likelyCauses.isEmpty)
    }
    CachingAllocator.trim()
  }

  @Test("another number of heads is told apart, and the right one is named")
  func heads() throws {
    let loaded = try deterministicNetwork("detr_resnet50", smallDETR)
    let whole = try verification(of: loaded, examples: [3, 64, 96], readWith: [:])
    #expect(whole.firstDivergence == nil && whole.fittingReadings.isEmpty)
    let other = try verification(of: loaded, examples: [3, 64, 96], readWith: ["nheads": .integer(4)])
    #expect(other.firstDivergence?.hasPrefix("transformer.encoder") == true, "\(other.firstDivergence ?? "")")
    #expect(other.fittingReadings == ["nheads is 8"])
    CachingAllocator.trim()
  }

  @Test("damaged weights fit no reading")
  func damaged() throws {
    let loaded = try deterministicNetwork("unet_drive")
    let expected = loaded.withExamples([1, 16, 24])
    let stages = expected.stageStatistics()
    let kernel = try #require(loaded.network.stateEntries.first { $0.name == "conv5.weight" })
    kernel.value = kernel.value * 1.01
    let result = try expected.verification(against: stages, from: .other("x"))
    #expect(result.firstDivergence == "conv5" && result.fittingReadings.isEmpty)
  }
}

@Suite("Identification of networks for other tasks")
struct NetworkIdentificationTests {
  /// A network's tensors without values, under names of its own or of a map.
  private func archive(_ loaded: LoadedNetwork, map: String? = nil) throws -> WeightArchive {
    let own = try WeightArchive(loaded.network.stateEntries.map { ($0.name, Tensor.zeros($0.shape)) })
    guard let map else { return own }
    let exported = try NameMap(contentsOf: try Resources.url(map, "json").path).exported(own)
    #expect(exported.unmatched.isEmpty)
    return exported.archive
  }

  @Test(
    "networks are found by their tensors, with other numbers of classes and channels too",
    arguments: [
      ("unet", [:], nil), ("unet", ["n_classes": 5, "n_channels": 1], nil), ("unet_bilinear", [:], nil),
      ("unet_bilinear", ["n_classes": 1], nil), ("unet_drive", [:], nil),
      ("unet_drive", [:], "keras1_unet_drive"), ("detr_resnet50", [:], nil),
      ("detr_resnet50", ["num_classes": 4, "num_queries": 20], nil),
      ("detr_resnet50", [:], "transformers_detr"), ("detr_resnet50", [:], "transformers5_detr"),
      ("detr_resnet50", ["num_classes": 4, "enc_layers": 2], "transformers_detr"),
    ] as [(String, [String: Int], String?)])
  func found(name: String, numbers: [String: Int], map: String?) throws {
    let settings = numbers.mapValues { JSONValue.integer($0) }
    let loaded = try Zoo.untrainedNetwork(try Catalogue.entry(name), settings: settings)
    let found = try #require(Zoo.identification(of: try archive(loaded, map: map)))
    #expect(
      found.entry.name == name && found.extent == .whole(classes: 0), "\(found.entry.name) \(found.extent)")
    #expect(found.settings == settings && found.nameMap == map)
    #expect(found.report.missing.isEmpty && found.report.unexpected.isEmpty)
    CachingAllocator.trim()
  }

  @Test("weights under transformers' names load, value by value")
  func transformers() throws {
    let loaded = try deterministicNetwork(
      "detr_resnet50", ["enc_layers": .integer(1), "dec_layers": .integer(1), "num_classes": .integer(4)])
    let own = try WeightArchive(loaded.network.stateEntries.map { ($0.name, $0.value) })
    let map = try NameMap(contentsOf: try Resources.url("transformers_detr", "json").path)
    let path = FileManager.default.temporaryDirectory.appending(
      path: "aviary-\(UUID().uuidString).safetensors"
    ).path
    defer { unlink(path) }
    try WeightFile.write(try map.exported(own).archive, to: path, as: .safetensors)
    let again = try Zoo.network("detr_resnet50", weights: path)
    #expect(
      again.metadata.configuration
        == ["enc_layers": 1, "dec_layers": 1, "num_classes": 4].mapValues { .integer($0) })
    #expect(again.metadata.labels == nil && again.changes.isEmpty)
    for (first, second) in zip(again.network.stateEntries, loaded.network.stateEntries) {
      #expect(first.value.values() == second.value.values(), "\(first.name)")
    }
    CachingAllocator.trim()
  }
}
