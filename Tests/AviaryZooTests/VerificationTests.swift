import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Verification stage by stage", .serialized)
struct VerificationTests {
  /// A network with deterministic weights; biases of convolutions and scales of normalization are neutral, so that dialects without them can
  /// take the rest.
  private func network(_ dialect: Dialect, _ classes: Int) -> any StagedModel {
    let model = dialect.make(classes)
    for entry in model.stateEntries where !entry.isFixed {
      let isNormalization = entry.shape.count == 1 && entry.name.contains("bn")
      if entry.name.hasSuffix("bias"), !isNormalization {
        entry.value = .zeros(entry.shape)
      } else if entry.name.hasSuffix("weight"), entry.shape.count == 1 {
        entry.value = .ones(entry.shape)
      } else {
        entry.value = Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
      }
    }
    return model
  }

  /// What loads from a portable file with the tensors of `model` that `dialect` has, under its name, and with expected numbers.
  private func loaded(
    _ entry: ZooEntry, as dialect: Dialect, _ model: any StagedModel, stages: [StageStatistics]
  ) throws -> LoadedClassifier {
    let classes = try entry.card().classes
    let values = Dictionary(uniqueKeysWithValues: model.stateEntries.map { ($0.name, $0.value) })
    var archive = try WeightArchive(
      dialect.make(classes).stateEntries.map { ($0.name, values[$0.name] ?? neutral($0)) })
    archive.portable = PortableMetadata(model: entry.name, dialect: dialect.name)
    archive.portable?.stages = stages
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    defer { unlink(path) }
    try SafetensorsFile.write(archive, to: path)
    return try Zoo.load(entry, try WeightFile.open(path), allowing: .nonFinite)
  }

  private func neutral(_ entry: StateEntry) -> Tensor {
    entry.name.hasSuffix("bias") ? .zeros(entry.shape) : .ones(entry.shape)
  }

  private func verification(_ loaded: LoadedClassifier) throws -> Verification {
    let (stages, origin) = try #require(try loaded.asNetwork.expectedStages(isPublished: false))
    #expect(origin == .file)
    return try loaded.asNetwork.verification(against: stages, from: origin)
  }

  @Test("what overflows agrees with nothing, not even with itself")
  func notFinite() throws {
    for value in [Double.infinity, -.infinity, .nan] {
      let broken = StageStatistics(name: "a", mean: value, magnitude: abs(value))
      #expect(!broken.agrees(with: broken))
      #expect(!broken.agrees(with: StageStatistics(name: "a", mean: 1, magnitude: 1)))
    }
    let loaded = try Zoo.load("lenet")
    let good = loaded.stageStatistics()
    let bias = try #require(loaded.model.stateEntries.first { $0.name == "conv1.bias" })
    bias.value = Tensor(repeating: Float.nan, shape: bias.shape)
    let damaged = loaded.stageStatistics()
    for expected in [good, damaged] {
      let result = try loaded.asNetwork.verification(against: expected, from: .other("x"))
      #expect(result.firstDivergence == "block1")
      #expect(result.likelyCauses.first?.hasPrefix("damaged values") == true)
    }
    bias.value = .zeros(bias.shape)
    #expect(
      try loaded.asNetwork.verification(against: damaged, from: .other("x")).likelyCauses.first?.contains(
        "compared")
        == true)
  }

  @Test(
    "weights of one dialect read as another are caught at the first stage that differs, and the right dialect is named",
    arguments: [
      ("resnet50", "keras_v1", "tv_v1", "layer2"), ("resnet50", "tv_v1", "keras_v1", "layer2"),
      ("inception_v3", "keras", "tv_v1", "Mixed_5b"),
    ])
  func dialects(name: String, truth: String, claim: String, stage: String) throws {
    let entry = try Catalogue.entry(name)
    let (right, wrong) = (
      try #require(entry.dialect(named: truth)), try #require(entry.dialect(named: claim))
    )
    let card = try entry.card()
    let model = network(right, card.classes)
    let stages = model.stageStatistics(.deterministicPicture(card.input))
    let whole = try verification(try loaded(entry, as: right, model, stages: stages))
    #expect(whole.firstDivergence == nil && whole.likelyCauses.isEmpty && whole.fittingReadings.isEmpty)
    let result = try verification(try loaded(entry, as: wrong, model, stages: stages))
    #expect(result.firstDivergence == stage)
    #expect(result.fittingReadings == ["the dialect \(truth)"])
    #expect(!result.likelyCauses.isEmpty)
    CachingAllocator.trim()
  }

  @Test("exchanged channels, another flatten order and damaged values are caught where they are")
  func tensors() throws {
    let entry = try Catalogue.entry("lenet")
    let dialect = entry.dialects[0]
    let shipped = try Zoo.load("lenet")
    let stages = shipped.stageStatistics()
    func result(_ name: String, _ change: (Tensor) -> Tensor) throws -> Verification {
      let copy = dialect.make(10)
      for (to, from) in zip(copy.stateEntries, shipped.model.stateEntries) {
        to.value = from.name == name ? change(from.value) : from.value
      }
      return try verification(try loaded(entry, as: dialect, copy, stages: stages))
    }
    #expect(try result("") { $0 }.firstDivergence == nil)
    let flattened = try result("fc1.weight") {
      $0.reshaped([120, 16, 5, 5]).permuted([0, 2, 3, 1]).reshaped([120, 400])
    }
    #expect(flattened.firstDivergence == "hidden")
    #expect(flattened.fittingReadings.first?.contains("flatten order") == true)
    let damaged = try result("conv2.weight") { $0 * 1.01 }
    #expect(damaged.firstDivergence == "block2" && damaged.fittingReadings.isEmpty)
    let infinite = try result("fc3.bias") { $0 * Float.infinity }
    #expect(infinite.firstDivergence == "classifier")
    #expect(infinite.likelyCauses.first?.contains("damaged") == true)

    let colour = try Catalogue.entry("resnet20")
    let model = network(colour.dialects[0], 10)
    let expected = model.stageStatistics(.deterministicPicture([3, 32, 32]))
    let first = try #require(model.stateEntries.first { $0.name == "conv1.weight" })
    let weight = first.value
    first.value = concatenate([2, 1, 0].map { weight.sliced(1, $0..<($0 + 1)) }, axis: 1)
    let exchanged = try verification(try loaded(colour, as: colour.dialects[0], model, stages: expected))
    #expect(exchanged.firstDivergence == exchanged.rows.first?.found.name)
    #expect(exchanged.fittingReadings.first?.contains("RGB and BGR") == true)
  }

  @Test("the shipped weights give the numbers of their card, and saved files carry theirs")
  func carried() throws {
    let shipped = try Zoo.load("lenet")
    let (stages, origin) = try #require(try shipped.asNetwork.expectedStages(isPublished: true))
    #expect(origin == .card)
    #expect(try shipped.asNetwork.verification(against: stages, from: origin).firstDivergence == nil)
    #expect(try shipped.asNetwork.expectedStages(isPublished: false) == nil)

    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    defer { unlink(path) }
    try shipped.save(to: path)
    let again = try Zoo.load("lenet", weights: path)
    #expect(again.stages == shipped.stageStatistics())
    #expect(try again.archive().portable?.stages == nil)
    try shipped.save(to: path, floats: .bfloat16)
    #expect(try Zoo.load("lenet", weights: path).stages == nil)
  }

  @Test("the picture is the one that the format's specification describes")
  func picture() {
    let picture = Tensor.deterministicPicture([1, 2, 2])
    #expect(picture.shape == [1, 1, 2, 2])
    // splitmix64 from 0 begins e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f, f88bb8a8724c81ec.
    let expected = [0xE2_20A8, 0x6E_789E, 0x06_C45D, 0xF8_8BB8].map { 4 * Float($0) * 0x1p-24 - 2 }
    #expect(picture.values() == expected)
  }
}
