import AviaryLayers
import AviaryTensors
import AviaryTraining
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

/// The transfer recipe: VGG19 cut behind `block5_pool`, blocks 1 to 3 frozen, blocks 4 and 5 and a new head trained.
@Suite("Transfer learning")
struct TransferTests {
  private func model(
    _ name: String = "vgg19", head: [Int] = [256, 5], branch: String? = "block5_pool",
    junction: TransferModel.Junction = .flatten
  ) throws -> LoadedClassifier {
    try withRandomSeed(1) {
      try Zoo.untrained(try Catalogue.entry(name)).withHead(head, branch: branch, junction: junction)
    }
  }

  private let inputs = sample([2, 3, 224, 224])
  private let labels = Tensor([Int64(0), 3])

  private func step(_ model: any StagedModel) {
    let optimizer = SGD(learningRate: 0.01, momentum: 0.9, weightDecay: 0.01)
    let (_, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(inputs), labels: labels) }
    optimizer.update(model, gradients)
  }

  @Test("frozen blocks stay bit-identical, the others and the head change")
  func frozenBlocks() throws {
    let model = try model().model
    try model.freeze(stages: "block1", through: "block3")
    model.train()
    let before = model.stateEntries.map { ($0.name, $0.value) }
    step(model)
    let summary = Summary(of: model, inputShape: [1, 3, 224, 224])
    let frozen = Set(summary.rows.filter(\.isFrozen).map(\.name))
    #expect(
      frozen == ["0", "2", "5", "7", "10", "12", "14", "16"].reduce(into: []) { $0.insert("features.\($1)") })
    for (entry, old) in zip(model.stateEntries, before) {
      let owner = entry.name.split(separator: ".").dropLast().joined(separator: ".")
      let isEqual = entry.value.withUnsafeBytes { new in old.1.withUnsafeBytes { new.elementsEqual($0) } }
      #expect(isEqual == frozen.contains(owner), "\(entry.name)")
    }
  }

  @Test("nothing under the frozen blocks is recorded: the peak memory of a step falls")
  func memory() throws {
    let model = try model().model
    func peak() -> Int {
      CachingAllocator.resetPeak()
      let start = CachingAllocator.statistics.inUse
      step(model)
      return CachingAllocator.statistics.peak - start
    }
    _ = peak()
    let everything = peak()
    try model.freeze(stages: "block1", through: "block3")
    _ = peak()
    let frozen = peak()
    // Activations of blocks 1 to 3 that a full step keeps, in and out of each ReLU: 2 × 36 MB per picture of 224².
    #expect(everything - frozen > 100_000_000, "\(everything) and \(frozen) bytes")
    CachingAllocator.trim()
  }

  @Test("frozen batch normalization keeps its statistics, the rest updates them")
  func batchNorm() throws {
    let model = try model("resnet18", head: [5], branch: "layer4").model
    try model.freeze(stages: "stem", through: "layer2")
    model.train()
    let before = Dictionary(uniqueKeysWithValues: model.stateEntries.map { ($0.name, $0.value.values()) })
    step(model)
    for entry in model.stateEntries where entry.name.hasSuffix("running_mean") {
      let isFrozen = ["bn1", "layer1", "layer2"].contains { entry.name.hasPrefix($0 + ".") }
      #expect((entry.value.values() == before[entry.name]) == isFrozen, "\(entry.name)")
    }
  }

  @Test("a head reads the mean over all places unless it is asked to flatten, and then takes any size")
  func junctions() throws {
    let pooled = try Zoo.untrained(try Catalogue.entry("resnet50")).withHead([5])
    let head = pooled.model.stateEntries.filter { $0.name.hasPrefix("head.") }
    #expect(head.reduce(0) { $0 + $1.shape.elementCount } == 10_245)
    #expect(try pooled.outputs(for: sample([1, 3, 97, 130])).shape == [1, 5])
    let flat = try Zoo.untrained(try Catalogue.entry("resnet50")).withHead([5], junction: .flatten)
    #expect(flat.model.stateEntries.last?.shape == [5])
    #expect(throws: UnsuitableInput.self) { try flat.outputs(for: sample([1, 3, 97, 130])) }
  }

  @Test(
    "means are taken over places, wherever a family has its channels",
    arguments: [("swin_t", "stage2", 192), ("vit_ti_16", "block3", 192), ("convnext_tiny", "stage2", 192)])
  func channelsLast(name: String, branch: String, width: Int) throws {
    let entry = try Catalogue.entry(name)
    let cut = try Zoo.untrained(entry).withHead([3], branch: branch)
    #expect(cut.model.stateEntries.first { $0.name == "head.1.weight" }?.shape == [3, width])
  }

  @Test("labels, widths and classes that make no head are thrown")
  func misuse() throws {
    let entry = try Catalogue.entry("mobilenet_v1_0.25")
    let whole = try Zoo.untrained(entry)
    #expect(throws: AdaptationError.self) { try whole.withHead([4], labels: ["a", "b"]) }
    #expect(throws: AdaptationError.self) { try whole.withHead([]) }
    #expect(throws: AdaptationError.self) { try whole.withHead([8, 0]) }
    #expect(throws: AdaptationError.self) { try Zoo.model("resnet18", classes: 0) }
    #expect(throws: AdaptationError.self) { try Zoo.untrained(entry, Adaptation(classes: -1)) }
  }

  @Test(
    "a fine-tuned model is saved with its head, labels and preprocessing, and loads equal",
    arguments: TransferModel.Junction.allCases)
  func saveAndLoad(junction: TransferModel.Junction) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let tuned = try model("mobilenet_v1_0.25", head: [16, 3], branch: nil, junction: junction)
    let path = folder.appending(path: "tuned.safetensors").path
    try tuned.save(to: path)
    // What another format's readers would take for theirs.
    for ending in ["h5", "weights.h5", "pth", "npz"] {
      #expect(throws: WeightsError.self) { try tuned.save(to: folder.appending(path: "x." + ending).path) }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["tuned.safetensors"])
    let loaded = try Zoo.load("mobilenet_v1_0.25", weights: path)
    #expect(loaded.labels == ["class 0", "class 1", "class 2"])
    #expect(loaded.preprocessing == tuned.preprocessing)
    #expect(loaded.model(inputs).values() == tuned.model(inputs).values())
    #expect(throws: WeightsError.self) { try Zoo.load("mobilenet_v1_0.5", weights: path) }
  }

  @Test("a branch and a stage that do not exist are named with those that do")
  func unknownStages() throws {
    let error = #expect(throws: StageError.self) { try model(branch: "block6") }
    #expect(error?.description.contains("block1, block2, block3, block4, block5, classifier") == true)
  }
}
